// What the page knows of the server, and asks of it as a back end would.

// facts are those of package devpage.
export const facts = await fetch("/dev/facts").then(answer => answer.json())

// mayGive reports whether the page may give commands.
export const mayGive = facts.api !== "" && !facts.key

// give gives a command, and returns its answer or throws what is wrong.
export async function give(command, request) {
  const answer = await fetch("/dev/do/" + command, {
    method: "POST", body: request, headers: { "Content-Type": "application/json" },
  })
  const text = await answer.text()
  let said
  try {
    said = JSON.parse(text)
  } catch {
    throw new Error(text.trim() || "the server answers " + answer.status)
  }
  if (!said.ok) throw new Error(said.error.text)
  return said
}

// plain is what is wrong, without the name of the client that tells it.
export const plain = error => error.message.replace(/^lineman: /, "")

// spaceOf is the namespace of a channel, and the name under which the settings would have it.
export function spaceOf(channel) {
  const at = channel.indexOf(":")
  const name = at < 0 ? "default" : channel.slice(0, at)
  return { name, ...facts.namespaces[Object.hasOwn(facts.namespaces, name) ? name : "default"] }
}
