// What the page asks of the server. Nothing here knows how it is shown.

export const session = { name: "", scopes: [], token: "", open: false }

// may reports whether the session has a scope.
export const may = scope => session.scopes.includes(scope)

// begin learns who the session is of; false: of nobody.
export async function begin() {
  const answer = await fetch("/dashboard/session")
  if (answer.status === 401) return false
  Object.assign(session, await right(answer))
  return true
}

// right is what an answer has, or throws what is wrong.
async function right(answer) {
  if (!answer.ok) throw new Error((await answer.text()).trim() || "the server answers " + answer.status)
  return answer.status === 204 ? undefined : answer.json()
}

const post = (path, body) => fetch(path, {
  method: "POST", body: JSON.stringify(body),
  headers: { "Content-Type": "application/json", "X-Lineman-Token": session.token },
}).then(right)

export const logIn = secret => post("/dashboard/login", { secret })
export const logOut = () => post("/dashboard/logout", {})

// give gives a command, and returns its answer or throws what is wrong.
export async function give(command, body) {
  const answer = await post("/dashboard/do/" + command, body)
  if (!answer.ok) throw new Error(answer.error.text)
  return answer
}

// find tells of the connections of a target.
export const find = to => fetch("/dashboard/find?to=" + encodeURIComponent(to)).then(right)

const retryAfter = 1500 // milliseconds

// listen takes events by their names, and comes back when the link breaks. on.open and on.gone tell how the link is,
// on.refused that it is over: with the status and what the server says. What is returned ends it.
export function listen(path, on) {
  let source, timer, ended = false
  const end = () => {
    ended = true
    clearTimeout(timer)
    source?.close()
  }
  const retry = () => { timer = setTimeout(come, retryAfter) }
  const come = async () => {
    const known = await begin().catch(() => undefined) // a server that has started anew has another token
    if (ended) return
    if (known === undefined) return retry()
    if (!known) return on.refused(401, "log in again")
    let opened = false
    source = new EventSource(path)
    for (const [name, take] of Object.entries(on.events)) {
      source.addEventListener(name, event => take(JSON.parse(event.data)))
    }
    source.onopen = () => {
      opened = true
      on.open()
    }
    source.onerror = async () => {
      source.close()
      on.gone()
      const why = opened ? "" : await reason(path)
      if (ended) return
      if (why) on.refused(0, why)
      else retry()
    }
  }
  come()
  return end
}

// reason is why the server does not open a stream; empty if it cannot be asked, or would now.
async function reason(path) {
  const stop = new AbortController()
  try {
    const answer = await fetch(path, { signal: stop.signal })
    return answer.ok ? "" : (await answer.text()).trim()
  } catch {
    return ""
  } finally {
    stop.abort()
  }
}
