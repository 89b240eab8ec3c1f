// The page: who it is, how the link is, and the tables that are of now.

import * as figures from "/dashboard/figures.js"
import * as lookup from "/dashboard/lookup.js"
import { hearing } from "/dashboard/hearing.js"
import { nodes } from "/dashboard/nodes.js"
import { begin, listen, logIn, logOut, may, session } from "/dashboard/wire.js"

const byId = id => document.getElementById(id)
const { bytes, count, table, time } = figures
const rate = n => n >= 10 ? count(Math.round(n)) : n.toFixed(1)

function link(text, kind) {
  byId("link").textContent = text
  byId("link").className = kind
  byId("board").classList.toggle("stale", kind === "gone")
}

function busiest(into, kind, all, none) {
  table(byId(into), ["name", "#published / s", "#delivered / s"],
    (all ?? []).map(b => [lookup.linkTo(kind + b.name, b.name), rate(b.published), rate(b.delivered)]), none)
}

let newest // of the reports; undefined before the first one

function report(r) {
  newest = r
  link("Live", "live")
  tell(r)
}

// tell shows a report.
function tell(r) {
  figures.now(r)
  busiest("top-channels", "", r.top?.channels, "Nothing is published on channels.")
  busiest("top-uids", "u:", r.top?.uids, "Nothing is published for uids.")
  busiest("top-groups", "g:", r.top?.groups, "Nothing is published for groups.")
  table(byId("slow"), ["connection", "uid", "<from", "#waits"], (r.slow_pages ?? []).map(p => [
    lookup.linkTo(p.conn, p.conn.slice(2)), lookup.linkTo("u:" + p.uid, p.uid), p.remote, bytes(p.bytes),
  ]), "No page is slow.")
  lookup.refusals(r.refusals ?? [])
  table(byId("refused"), ["<at", "reason", "what", "<from", "uid", "what to do"], (r.refusals ?? []).map(one => [
    time(one.at), one.reason, one.what + (one.detail ? ": " + one.detail : "") + (one.node ? ", on " + one.node : ""),
    one.remote || "–", one.uid ? lookup.linkTo("u:" + one.uid, one.uid) : "–", one.advice,
  ]), "Nothing was refused.")
  hearing(r)
  byId("nodes").hidden = byId("nodes-link").hidden = r.nodes.length < 2 && r.now.broker.linked
  byId("nodes-title").textContent = byId("nodes-link").textContent = r.loops ? "Event loops" : "Nodes"
  byId("cluster").textContent = r.now.broker.linked ? ""
    : "This node does not reach the others: what is published here does not get there."
  nodes(byId("node-list"), r)
}

let live // ends what is live; undefined while nobody looks

function watch() {
  if (document.hidden) { // nobody looks
    live?.()
    live = undefined
    return
  }
  live ??= listen("/dashboard/live", {
    open: () => {},
    gone: () => link("Not connected", "gone"),
    refused: (status, why) => status === 401 ? ask() : link(why, "gone"),
    events: { past: figures.past, report },
  })
}

function board() {
  byId("login").hidden = true
  byId("board").hidden = false
  figures.build(() => newest && tell(newest))
  lookup.build()
  byId("who").textContent = session.name + (may("manage") ? "" : " (looks only)") + ", " + session.version.split(",")[0]
  byId("leave").hidden = session.open
  byId("leave").onclick = () => logOut().finally(ask)
  document.onvisibilitychange = watch
  watch()
}

// ask begins anew, with the login if there is no session: nothing of what was shown stays.
function ask() { location.reload() }

byId("enter").onsubmit = event => {
  event.preventDefault()
  byId("wrong").textContent = ""
  logIn(byId("secret").value).then(ask, error => {
    byId("wrong").textContent = error.message
    byId("secret").select()
  })
}

begin().then(known => {
  if (known) return board()
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)
  byId("plain").hidden = here || location.protocol === "https:"
  byId("login").hidden = false
  byId("secret").focus()
}, () => {
  byId("board").hidden = false
  link("Not connected: load the page again", "gone")
})
