// What the settings lack for what people do here, in words, and what to write.

import { byId, element } from "/dev/element.js"
import { facts, spaceOf } from "/dev/server.js"

const kept = "{size: 100, ttl: 1h}"

const wanted = new Map() // what to say of each section, and what to write there

// wants notes that a target is used, and shows what is lacking for that.
export function wants(to) {
  if (to.startsWith("u:")) wantsKept("uids", "a uid")
  else if (to.startsWith("g:")) wantsKept("groups", "a group")
  else if (to !== "*") wantsSpace(to)
  show()
}

function wantsKept(section, what) {
  if (facts[section].some) return
  wanted.set(section, {
    text: `What is published for ${what} is not kept: who is away misses it.`, section: "history",
    line: `${section}: ${kept}`,
  })
}

function wantsSpace(channel) {
  const space = spaceOf(channel)
  const lacks = [
    !space.history.some && "keep nothing, so who is away misses what is published",
    space.presence !== "events" && "tell nobody who comes and goes",
    space.publish === "none" && "take nothing that pages publish",
  ].filter(Boolean)
  if (lacks.length === 0) return
  const which = channel.includes(":") ? `${space.name}:…` : "without a namespace"
  const publish = space.publish === "none" ? "token" : space.publish
  wanted.set("channels " + space.name, {
    text: `Channels ${which} ${lacks.join("; they ")}.`, section: "namespaces",
    line: `${quoted(space.name)}: {subscribe: ${space.subscribe}, publish: ${publish}, presence: events, ` +
      `history: ${kept}}`,
  })
}

// quoted is a key in YAML.
const quoted = name => /^[a-z][a-z0-9_-]*$/.test(name) && !/^(true|false|null|yes|no|on|off|y|n)$/.test(name)
  ? name : JSON.stringify(name)

// general is what is lacking whatever people do.
function general() {
  const all = []
  if (!facts.api) all.push("The HTTP API is off, so the page does nothing as a back end: set api.listen.")
  if (facts.api && facts.key) {
    all.push("The HTTP API wants a key, so the page does nothing as a back end. The commands above take it from " +
      "LINEMAN_KEY.")
  }
  if (facts.hook) all.push("A hook of your application tells who a page is: names here are sent as tokens.")
  return all
}

export function show() {
  const items = [...general(), ...[...wanted.values()].map(one => one.text)].map(text => element("li", {}, text))
  byId("lack-link").textContent = items.length ? `Settings (${items.length})` : "Settings"
  if (items.length === 0) {
    byId("lacks").replaceChildren(element("p", { class: "none" }, "Nothing, for what you have done here."))
    return
  }
  byId("lacks").replaceChildren(element("ul", {}, ...items))
  if (wanted.size === 0) return
  const yaml = ["namespaces", "history"].map(section => {
    const lines = [...wanted.values()].filter(one => one.section === section).map(one => "  " + one.line)
    return lines.length ? `${section}:\n${lines.join("\n")}\n` : ""
  }).join("")
  byId("lacks").append(
    element("p", {}, "Write this into lineman.yaml, in the folder of the server, and start it again:"),
    element("pre", { id: "yaml", class: "card" }, yaml))
}
