// Publishing: as a back end, or as one of the users.

import { act, requestOf } from "/dev/command.js"
import { byId, element } from "/dev/element.js"
import { wants } from "/dev/lack.js"
import { give, mayGive, plain } from "/dev/server.js"
import { sends } from "/dev/stopwatch.js"

const pages = ["channel", "say"] // the kinds that a page may take
const backEnds = ["channel", "uid", "group", "all"] // likewise a back end

let users = []

// show offers the users to publish as, and names to publish to.
export function show(all) {
  users = all
  const chosen = byId("as").value
  byId("as").replaceChildren(element("option", { value: "" }, "a back end"),
    ...users.map(user => element("option", { value: user.number }, user.uid + ", a page")))
  byId("as").options[0].disabled = !mayGive
  byId("as").value = chosen
  if (byId("as").selectedIndex < 0) byId("as").selectedIndex = mayGive ? 0 : Math.min(1, users.length)
  fit()
}

const kind = () => byId("kind").value
const publisher = () => users.find(user => String(user.number) === byId("as").value)

// fit offers what who publishes may do, and the names that there are.
function fit() {
  const may = publisher() ? pages : backEnds
  for (const option of byId("kind").options) option.disabled = !may.includes(option.value)
  if (!may.includes(kind())) byId("kind").value = "channel"
  byId("name").disabled = kind() === "all" || kind() === "say"
  byId("go").textContent = kind() === "say" ? "Say" : "Publish"
  const places = users.flatMap(user => [...user.places.values()])
  const names = kind() === "uid" ? users.map(user => user.uid)
    : places.filter(place => place.isGroup === (kind() === "group")).map(place => place.to.replace(/^g:/, ""))
  byId("names").replaceChildren(...[...new Set(names)].map(value => element("option", { value })))
}

// choose has the name be one that there is, when another kind was chosen.
function choose() {
  fit()
  const options = [...byId("names").children].map(option => option.value)
  if (!byId("name").disabled && !options.includes(byId("name").value)) byId("name").value = options[0] ?? ""
}

// written is what the form says: JSON as it was written, or else text.
function written() {
  const text = byId("words").value
  try {
    JSON.parse(text)
    return { data: text.trim().replace(/[\n\r\t]+/g, " ") } // between its parts, as there are none in texts
  } catch {
    return { text }
  }
}

const valueOf = ({ data, text }) => data === undefined ? text : JSON.parse(data)

function target() {
  const name = byId("name").value
  return { channel: name, uid: "u:" + name, group: "g:" + name, all: "*" }[kind()]
}

// action is what the form would do.
const action = () => ({ command: "pub", to: target(), ...written() })

function tell(text, isBad = false) {
  byId("answer").textContent = text
  byId("answer").classList.toggle("bad", isBad)
}

const some = n => n === 1 ? "1 connection has" : n + " connections have"

async function go(event) {
  event.preventDefault()
  if (!byId("name").disabled && byId("name").value === "") return byId("name").focus()
  const times = Number(byId("times").value), user = publisher()
  try {
    if (kind() === "say") await say(user, times)
    else if (user) await publishAs(user, times)
    else await publish(times)
  } catch (error) {
    tell(plain(error), true)
  }
}

async function publish(times) {
  const what = action(), request = requestOf(what)
  if (what.to !== "*") wants(what.to)
  act(what)
  let answer
  for (let i = 1; i <= times; i++) {
    sends(what.to, valueOf(what))
    answer = await give("pub", request)
    if (times > 1) tell(`${i} of ${times} are published.`)
  }
  const at = answer.pos?.[what.to]
  tell((times > 1 ? `${times} are published. Of the last: ` : "Published: ") +
    `${some(answer.n)} taken it` + (at ? `; its position is ${at}.` : "; nothing of it is kept."))
}

async function publishAs(user, times) {
  const what = action()
  wants(what.to)
  act(what) // a back end has it published likewise
  let answer
  for (let i = 1; i <= times; i++) {
    if (!user.client.conn) tell(`${user.uid} is away: it publishes when it is back.`)
    answer = await user.client.publish(what.to, valueOf(what))
    if (times > 1) tell(`${i} of ${times} are published.`)
  }
  tell(`Published by ${user.uid}` + (answer.pos ? `; the position is ${answer.pos}.` : "; nothing of it is kept."))
}

async function say(user, times) {
  tell("Said. No back end has acknowledged it yet.")
  for (let i = 0; i < times; i++) await user.client.say(valueOf(written()))
  tell("Said, and acknowledged.")
}

export function build() {
  byId("as").onchange = byId("kind").onchange = choose
  byId("send").onsubmit = go
  byId("words").onkeydown = event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("send").requestSubmit()
  }
  show([])
  act(action())
}
