// Looking somebody up, changing who gets what, and following a target.

import { bytes, count, date, element, some, table, time } from "/dashboard/figures.js"
import { find, give, listen, may } from "/dashboard/wire.js"

const byId = id => document.getElementById(id)

let target = "" // that was looked up; empty before
let refused = [] // the newest refusals
let stop // ends what is followed; undefined: nothing is

// refusals takes the newest ones.
export function refusals(all) { refused = all }

// why is what is known of a uid that has no connection.
function why(uid) {
  const last = refused.find(one => one.uid === uid)
  if (last) return ` It was refused at ${time(last.at)}, ${last.reason}, ${last.detail}: ${last.advice}.`
  return " If its page should be there: a page that was refused is among the newest refusals below, with what to do. " +
    "A uid is written exactly as its credential has it."
}

// asked is the target that the form names; empty if it names none. A name may have its kind before it already.
function asked() {
  const kind = byId("kind").value, name = byId("name").value.trim()
  if (kind === "*") return "*"
  if (kind !== "" && name.startsWith(kind)) return name
  return name && kind + name
}

// show has the form name a target, and looks it up.
export function show(of) {
  const kind = of === "*" ? "*" : /^[ugc]:/.test(of) ? of.slice(0, 2) : ""
  byId("kind").value = kind
  byId("name").value = of === "*" ? "" : of.slice(kind.length)
  fit()
  byId("lookup").scrollIntoView()
  look()
}

// linkTo is a button that looks a target up.
export function linkTo(of, text) {
  const button = element("button", text, { type: "button", class: "link", title: "Look up" })
  button.onclick = () => show(of)
  return button
}

// look tells what there is to know about the target of the form.
async function look() {
  const of = asked()
  if (!of) return byId("name").focus()
  if (of !== target) {
    byId("done").textContent = ""
    byId("done").classList.remove("bad")
  }
  target = of
  byId("found").classList.remove("bad")
  try {
    const [found, all] = await Promise.all([find(of), give("count", { to: of })])
    if (of !== target) return // another one was asked for meanwhile
    found.incomplete ||= all.incomplete
    tell(of, found, all.counts[of])
    await tellKept(of)
  } catch (error) {
    byId("found").textContent = error.message
    byId("found").classList.add("bad")
    byId("conns").replaceChildren()
    byId("kept").replaceChildren()
  }
}

// name is how a target is called in a sentence.
const name = of => of === "*" ? "Everybody" : (/^[ugc]:/.test(of) ? of.slice(2) : of)

function tell(of, { conns, most, incomplete }, n) {
  const isUID = of.startsWith("u:")
  let text = `${name(of)} has ${some(n, "connection")}.`
  if (n === 0) {
    text = `${name(of)} has no connection: nothing that is published for it reaches anybody now.` +
      (isUID ? why(of.slice(2)) : "")
  }
  if (of === "*") text = `There are ${some(n, "connection")} of pages.`
  if (n > conns.length && conns.length >= most) text += ` ${most} of them are shown.`
  const waits = conns.reduce((sum, c) => sum + c.waits, 0)
  if (waits && isUID) text += ` ${bytes(waits)} wait for it: its page does not read as fast as it is sent to.`
  if (n > 0 && isUID) text += " It gets what is published for it, and for its groups and channels: see below."
  if (incomplete) text += " Some nodes have not answered."
  byId("found").textContent = text
  table(byId("conns"), ["<connection", "uid", "<from", "since", "groups", "channels", "got", "<waits", "<"],
    conns.map(c => [
      linkTo(c.conn, c.conn.slice(2)), linkTo("u:" + c.uid, c.uid), fromOf(c), sinceOf(c), list(c.groups, "g:"),
      list(c.channels, ""), `${some(c.sent, "message")}, ${bytes(c.bytes)}`, c.waits ? bytes(c.waits) : "nothing",
      kickOf(c),
    ]), "")
  if (!conns.length) byId("conns").replaceChildren()
  byId("change").hidden = !may("publish") && !may("manage")
  byId("send").hidden = !may("publish")
  byId("place").hidden = byId("kick").parentElement.hidden = !may("manage")
  byId("revoke").hidden = !isUID
  byId("grave").textContent = isUID ? "Kick closes its connections. Revoke also refuses the credentials that it has."
    : "Kick closes its connections."
}

// fromOf is where a connection comes from and, where there are several nodes, to which it has come.
function fromOf(c) {
  if (!c.node) return c.remote
  const box = element("span", c.remote)
  box.append(element("br"), element("span", "to " + c.node, { class: "soft" }))
  return box
}

function sinceOf(c) {
  const level = c.stream ? "events" : c.protocol || "level " + c.level
  const box = element("span", c.since ? date(c.since) : "before a reload")
  box.append(element("span", " · " + level, { class: "soft" }))
  if (c.expires) box.append(element("span", " · until " + time(c.expires), { class: "soft" }))
  return box
}

function list(names = [], kind) {
  const box = element("span", names.length ? undefined : "none")
  if (!names.length) box.className = "soft"
  names.forEach((one, i) => box.append(i ? ", " : "", linkTo(kind + one, one)))
  return box
}

function kickOf(c) {
  if (!may("manage")) return ""
  const button = element("button", "Kick", { type: "button", class: "grave" })
  button.onclick = () => change("kick", { to: c.conn }, `Close connection ${c.conn} of ${c.uid}?`)
  return button
}

// tellKept shows the newest of what is kept of a target. Most targets keep nothing, which is no failure.
async function tellKept(of) {
  const box = byId("kept")
  if (of === "*" || of.startsWith("c:")) return box.replaceChildren()
  const answer = await give("history", { to: of, limit: 10 }).catch(error => error)
  if (of !== target) return
  if (answer instanceof Error) {
    box.replaceChildren(element("p", "Of what is published for it nothing is kept: who is not there misses it.",
      { class: "none" }))
    return
  }
  table(box, ["<kept since", "<position", "the newest that are kept, for who comes back"],
    answer.messages.reverse().map(m => [time(m.at), String(m.pos), JSON.stringify(m.data ?? m.text)]),
    "Nothing is kept of it yet.")
}

// change gives a command, when the person is sure, and looks again.
async function change(command, body, question) {
  if (question && !confirm(question)) return
  const done = byId("done")
  done.classList.remove("bad")
  try {
    const answer = await give(command, body)
    done.textContent = `${command}: ${some(answer.n ?? 0, "connection")}` +
      (answer.incomplete ? ", and some nodes have not answered" : "") + "."
  } catch (error) {
    done.textContent = `${command}: ${error.message}`
    done.classList.add("bad")
  }
  await look()
}

// written is what is in the field, as JSON or, if it is none, as text.
function written() {
  const text = byId("words").value
  try {
    return { data: JSON.parse(text) }
  } catch {
    return { text }
  }
}

// What follows shows events, as lineman watch does.

function conn(c) { return c.uid ? `${c.conn} (${c.uid})` : c.conn }

// words are an event as a line.
function words(e) {
  switch (e.event) {
    case "publication":
    case "refusal": {
      const by = e.from ? ` by ${e.from.via}` + [e.from.key, e.from.uid, e.from.remote].filter(Boolean).map(t =>
        " " + t).join("") : ""
      const to = (e.to ?? []).join(", ") + (e.others ? ` and ${e.others} others` : "")
      return (e.event === "refusal" ? "refused: " + (e.error?.text ?? "") + ": for " : "published for ") + to + by +
        (e.text === undefined ? "" : `, ${e.size} bytes: ${e.text}`)
    }
    case "delivery":
      return `handed to ${some(e.n, "connection")}: ` + (e.conns ?? []).map(conn).join(", ") +
        (e.n > (e.conns ?? []).length ? " …" : "") + (e.full ? `; ${some(e.full, "other")} did not accept it` : "")
    case "outcome":
      return `accepted by ${some(e.n ?? 0, "connection")} on all nodes` +
        (e.incomplete ? "; some nodes have not answered" : "") + (e.error ? ": " + e.error.text : "")
    case "missed":
      return `${some(e.n, "event")} left out: too many came at once`
  }
  return e.event
}

const mostSteps = 300

function step(e) {
  const bad = e.event === "refusal" || e.event === "missed" || e.full || e.error
  const item = element("li", `${time(e.at)}  ${e.number ?? ""}  ${words(e)}`)
  if (bad) item.className = "bad"
  byId("trail").prepend(item)
  while (byId("trail").children.length > mostSteps) byId("trail").lastChild.remove()
}

function follow() {
  const of = asked()
  if (!of) return byId("name").focus()
  unfollow()
  const title = byId("following")
  byId("steps").hidden = false
  byId("trail").replaceChildren()
  title.textContent = `Following ${name(of)}: beginning …`
  stop = listen("/dashboard/follow?to=" + encodeURIComponent(of), {
    open: () => {},
    gone: () => { title.textContent = `Following ${name(of)}: not connected, trying again …` },
    refused: (_, why) => {
      title.textContent = `${name(of)} cannot be followed: ${why}`
      stop = undefined
    },
    events: { begun: () => { title.textContent = `Following ${name(of)}` }, step, beat: () => {} },
  })
}

function unfollow() {
  stop?.()
  stop = undefined
}

// fit has the form ask for what its kind needs.
function fit() {
  const kind = byId("kind").value
  byId("name").disabled = kind === "*"
  const examples = { "u:": "uid1", "": "chat:42", "g:": "room", "c:": "as a list below shows it", "*": "" }
  byId("name").placeholder = examples[kind]
}

export function build() {
  fit()
  byId("kind").onchange = fit
  byId("lookup-link").onclick = () => byId("name").focus({ preventScroll: true })
  byId("follow").hidden = !may("watch")
  byId("lookup").hidden = !may("read")
  const on = (id, f) => { byId(id).onsubmit = event => { event.preventDefault(); f() } }
  on("find", look)
  on("send", () => change("pub", { to: target, ...written() },
    target === "*" ? "Send this to every page?" : undefined))
  on("place", () => {
    const [verb, of] = byId("verb").value.split(" ")
    change(verb, { to: target, [of]: byId("where").value.trim() },
      target === "*" ? "Do this with every page?" : undefined)
  })
  byId("kick").onclick = () => change("kick", { to: target }, `Close all connections of ${name(target)}?`)
  byId("revoke").onclick = () => change("revoke", { uid: target.slice(2) },
    `Refuse all credentials that ${name(target)} has, and close its connections?`)
  byId("follow").onclick = follow
  byId("stop").onclick = () => {
    unfollow()
    byId("steps").hidden = true
  }
}
