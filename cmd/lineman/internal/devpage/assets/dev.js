// The page of dev mode. Its address keeps the users: it can be loaded anew, and sent to somebody.

import * as command from "/dev/command.js"
import { byId } from "/dev/element.js"
import * as lack from "/dev/lack.js"
import * as publish from "/dev/publish.js"
import { facts } from "/dev/server.js"
import { User } from "/dev/user.js"

const users = []

const on = { change, act: command.act, leave }

// change keeps who is here in the address, and offers it to the form.
function change() {
  const names = users.length ? users.map(user => ["user", user.uid]) : [["user", ""]]
  history.replaceState(null, "", "?" + new URLSearchParams(names) + location.hash)
  publish.show(users)
}

function leave(user) {
  users.splice(users.indexOf(user), 1)
  change()
}

function add(uid) {
  const user = new User(uid, on)
  users.push(user)
  byId("columns").append(user.column)
  change()
}

// guest is who has not said a name. The server wants one of each page, so applications make one up.
function guest() {
  const bytes = crypto.getRandomValues(new Uint8Array(3))
  return "guest-" + Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("")
}

byId("version").textContent = facts.version.split(",")[0]
command.build()
publish.build()
lack.show()

byId("add").onsubmit = event => {
  event.preventDefault()
  add(byId("who").value.trim() || guest())
  byId("who").value = ""
}

const asked = new URLSearchParams(location.search)
for (const uid of asked.has("user") ? asked.getAll("user") : ["uid1", "uid2"]) if (uid) add(uid)
