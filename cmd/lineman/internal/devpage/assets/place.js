// Where a user is: a channel or a group, and who else is there, as far as the server tells.

import { element } from "/dev/element.js"
import { spaceOf } from "/dev/server.js"

const mostNamed = 6

export class Place {
  #users // infos by uid; undefined: not known, or too many
  #count = 0

  // leave is called when the user is to leave it.
  constructor(to, leave) {
    this.to = to
    this.isGroup = to.startsWith("g:")
    this.here = element("span", { class: "here soft" })
    const name = this.isGroup ? to.slice(2) : to
    this.row = element("li", {},
      element("span", { class: "what" }, element("b", {}, name), this.isGroup ? " (group) " : " ", this.here),
      element("button", { type: "button", onclick: leave, "aria-label": "Leave " + name }, "Leave"))
    if (!this.isGroup && spaceOf(to).presence === "none") this.here.textContent = "who is here is not known"
  }

  users({ users, n }) {
    this.#users = users && new Map(Object.entries(users))
    this.#tell(n)
  }

  joins({ uid, n, info }) {
    this.#users?.set(uid, info)
    this.#tell(n)
  }

  leaves({ uid, n }) {
    this.#users?.delete(uid)
    this.#tell(n)
  }

  #tell(n) {
    this.#count = n
    const names = [...this.#users?.keys() ?? []].sort()
    const more = this.#count - Math.min(names.length, mostNamed)
    this.here.textContent = names.length === 0 ? `${n} here`
      : "here: " + names.slice(0, mostNamed).join(", ") + (more > 0 ? `, and ${more} more` : "")
  }
}
