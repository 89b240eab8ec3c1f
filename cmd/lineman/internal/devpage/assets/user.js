// A user: a column of the page, with a client of its own.

import { Cable } from "/dev/cable.js"
import { element } from "/dev/element.js"
import { wants } from "/dev/lack.js"
import { Place } from "/dev/place.js"
import { give, mayGive, plain, spaceOf } from "/dev/server.js"
import { milliseconds, sends, Stopwatch } from "/dev/stopwatch.js"

const mostShown = 200 // messages of a user

let made = 0

// User connects as a uid. on.change is told that its uid has changed, or its places; on.act what it has done; and
// on.leave that it goes.
export class User {
  places = new Map() // by their targets
  #positions = new Map() // where it stands, as sessionStorage would keep it
  #watch = new Stopwatch()
  #due = new Map() // by target: how many messages are still to come of those that it has missed
  #known = new Set() // targets that it has begun with: what comes of them later, it may have missed

  constructor(uid, on) {
    this.uid = uid
    this.on = on
    this.number = ++made
    this.address = "/?user=" + this.number
    this.cable = new Cable(this.address, text => this.#sent(text))
    this.#build()
    this.#add("dev:room")
    this.connect()
  }

  #build() {
    this.name = element("input", {
      class: "uid", "aria-label": "uid", value: this.uid, maxlength: 255, autocomplete: "off", spellcheck: false,
      onchange: () => this.rename(this.name.value.trim()),
    })
    this.remove = element("button", {
      type: "button", class: "remove", "aria-label": "Remove this user", title: "Remove", onclick: () => this.end(),
    }, "✕")
    this.state = element("p", { class: "state", role: "status" })
    this.toggle = element("button", { type: "button", class: "toggle", onclick: () => this.#turn() })
    this.list = element("ul", { class: "places", "aria-label": "Where it is" })
    this.kind = element("select", { "aria-label": "Kind" },
      element("option", { value: "" }, "channel"), element("option", { value: "g:" }, "group"))
    this.where = element("input", {
      "aria-label": "Name", placeholder: "chat:1", maxlength: 255, autocomplete: "off", spellcheck: false,
    })
    const join = event => {
      event.preventDefault()
      this.#join(this.kind.value + this.where.value.trim())
    }
    this.told = element("span", {})
    this.plot = document.createElementNS("http://www.w3.org/2000/svg", "svg")
    this.plot.setAttribute("viewBox", "0 0 100 20")
    this.plot.setAttribute("preserveAspectRatio", "none")
    this.plot.setAttribute("aria-hidden", "true")
    this.line = this.plot.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "polyline"))
    this.got = element("ol", { class: "got", tabindex: 0, "aria-label": "What it gets, the newest first" })
    this.column = element("article", { class: "card user", "aria-label": this.uid },
      element("div", { class: "row" }, this.name, this.toggle, this.remove),
      this.state, this.list,
      element("form", { class: "row join", onsubmit: join }, this.kind, this.where,
        element("button", { type: "submit" }, "Join")),
      element("p", { class: "times" }, this.told, this.plot),
      this.got)
    this.#timed()
  }

  // connect begins as the uid, which has missed nothing yet.
  connect() {
    this.client?.close()
    this.#positions.clear()
    this.#due.clear()
    this.#known.clear()
    this.#say("Connecting …", "")
    const storage = {
      getItem: key => this.#positions.get(key) ?? null, setItem: (key, value) => this.#positions.set(key, value),
    }
    const client = this.client = Lineman.connect(this.address, { token: this.uid, storage })
    const on = (name, f) => client.on(name, (...args) => this.client === client && f(...args))
    on("open", welcome => this.#opened(welcome))
    on("wait", why => this.#waits(why))
    on("close", why => this.#closed(why))
    on("msg", (data, message) => this.#take(data, message))
    on("gap", gap => this.#gap(gap))
    on("error", error => {
      this.places.get(error.ch)?.drop()
      this.#note(`${error.ch ?? ""} ${plain(error)}`, "gap")
    })
    this.#subscribe("u:" + this.uid)
    for (const place of this.places.values()) if (!place.isGroup) this.#subscribe(place.to)
  }

  // end leaves the page.
  end() {
    this.client.close()
    this.#watch.end()
    this.column.remove()
    this.on.leave(this)
  }

  rename(uid) {
    this.name.value = uid ||= this.uid
    if (uid === this.uid) return
    this.uid = uid
    this.column.setAttribute("aria-label", uid)
    this.#note("It is " + uid + " now.")
    this.on.change()
    this.cable.mend()
    this.connect()
  }

  #turn() {
    if (this.cable.isCut) {
      this.#say("Coming back …", "")
      this.#offer("Cut the link")
      this.cable.mend()
    } else if (this.isOver) {
      this.connect()
    } else {
      this.cable.cut()
      this.#offer("Come back")
    }
  }

  #say(text, state) {
    this.isOver = false
    this.state.textContent = text
    this.state.className = "state " + state
    if (!this.cable.isCut) this.#offer("Cut the link")
  }

  #offer(text) { this.toggle.textContent = text }

  #opened(welcome) {
    this.#say(`Connected as ${welcome.uid}.`, "live")
    this.#watch.forget()
    for (const place of this.places.values()) if (place.isGroup) this.#enter(place.to.slice(2))
  }

  #waits(why) {
    const about = why.why ? `${why.code}: ${why.why}` : why.code
    this.#say(this.cable.isCut ? "The link is cut: nothing comes."
      : `Not connected (${about}): again in ${(why.delay / 1000).toFixed(1)} s.`, "gone")
  }

  #closed(why) {
    this.#say(`Closed (${why.code}${why.why ? ": " + why.why : ""}).`, "gone")
    this.isOver = true
    this.#offer("Connect")
  }

  // #sent hears what the client sends, at the moment when it goes.
  #sent(text) {
    for (const frame of [].concat(JSON.parse(text))) if (frame.op === "pub") sends(frame.ch, frame.data)
  }

  #join(to) {
    if (to === "" || to === "g:") return this.where.focus()
    if (this.places.has(to)) return this.#note(`It is in ${to} already.`)
    this.where.value = ""
    this.#add(to)
    const place = this.places.get(to)
    if (place.isGroup) this.#enter(to.slice(2))
    else this.#subscribe(to)
    this.on.act(place.isGroup ? { command: "join", to: "u:" + this.uid, group: to.slice(2) }
      : { command: "subscribe", to: "u:" + this.uid, channel: to })
  }

  #add(to) {
    const place = new Place(to, () => this.#leave(place))
    place.drop = () => this.#forget(place)
    this.places.set(to, place)
    this.list.append(place.row)
    wants(to)
    this.on.change()
  }

  #leave(place) {
    place.drop()
    if (place.isGroup) this.#give("leave", { to: "u:" + this.uid, group: place.to.slice(2) })
  }

  // #enter has the server put the connection into a group, as a back end would when it hears of the connection.
  #enter(group) {
    this.#watch.forget("g:" + group)
    this.#give("join", { to: "u:" + this.uid, group })
  }

  #give(command, request) {
    if (!mayGive) return this.#note("Only back ends change groups, and the page may do nothing as one.", "gap")
    give(command, JSON.stringify(request)).catch(error => this.#note(`${command}: ${error.message}`, "gap"))
  }

  #subscribe(to) {
    const place = this.places.get(to)
    const isKnown = !to.startsWith("u:") && spaceOf(to).presence !== "none"
    const subscription = this.client.subscribe(to, (data, message) => this.#take(data, message), {
      onSub: answer => {
        this.#back(to, answer)
        if (isKnown && place) this.client.presence(to)
      },
      onUsers: users => place?.users(users),
      onJoin: change => place?.joins(change),
      onLeave: change => place?.leaves(change),
    })
    subscription.ready.catch(() => {}) // the client tells it as an error
    if (place) place.drop = () => {
      subscription.unsubscribe()
      this.#forget(place)
    }
  }

  #forget(place) {
    this.places.delete(place.to)
    this.#known.delete(place.to)
    place.row.remove()
    this.on.change()
  }

  // #back says what was missed of a target.
  #back(to, { n = 0, pos, gap }) {
    this.#watch.forget(to)
    this.#due.set(to, n)
    const isBack = this.#known.has(to)
    this.#known.add(to)
    if (!isBack || gap) return
    if (n > 0) this.#note(`Back in ${to}: ${n === 1 ? "1 message was" : n + " messages were"} missed, and came now.`)
    else if (pos) this.#note(`Back in ${to}: nothing was missed.`)
    else {
      this.#note(`Back in ${to}, which keeps nothing: what was published meanwhile is lost.`)
      wants(to)
    }
  }

  #gap({ ch, gap, pos }) {
    this.#note(`A gap in ${ch}: ${gaps[gap] ?? gap}. A page loads its state now, and goes on` +
      (pos ? ` from ${pos}.` : "."), "gap")
  }

  #take(data, { ch, pos }) {
    const due = this.#due.get(ch) ?? 0
    const isRecovered = due > 0
    if (isRecovered) this.#due.set(ch, due - 1)
    const took = isRecovered ? undefined : this.#watch.got(ch, data)
    const text = typeof data === "string" ? data
      : data instanceof Uint8Array ? data.length + " bytes, no text" : JSON.stringify(data)
    this.#show(element("li", { class: isRecovered ? "message recovered" : "message" },
      element("div", { class: "about" }, element("span", { class: "from" }, ch),
        element("span", { class: "pos" }, pos ?? "no position"),
        element("span", { class: "took" }, isRecovered ? "recovered" : took === undefined ? "" : milliseconds(took))),
      element("div", { class: "text" }, text)))
    if (took !== undefined) this.#timed()
  }

  #note(text, kind = "") { this.#show(element("li", { class: "note " + kind }, text)) }

  #show(item) {
    this.got.prepend(item)
    if (this.got.children.length > mostShown) this.got.lastChild.remove()
  }

  // #timed shows the times, once for all messages of a moment.
  #timed() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = undefined
      this.told.textContent = this.#watch.told
      this.line.setAttribute("points", this.#watch.line)
    })
  }
}

// gaps are the reasons of the server, in words.
const gaps = {
  expired: "more was published than is kept", epoch: "the server has lost what it had kept",
  ahead: "the server does not know this position", limit: "it would be too much at once",
  off: "nothing is kept of it any more",
}
