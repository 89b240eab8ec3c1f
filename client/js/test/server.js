// A server of level 1 that tests make up, with the WebSocket, the EventSource and the network between.

const latency = 5 // milliseconds that a frame takes

export class Server {
  connections = new Set()
  attempts = [] // the addresses that were tried
  heard = [] // the frames of clients
  epoch = "e1"
  hb = 25
  size = 1e9 // messages that are kept of each channel
  token = null // the only good one, if any
  reachable = true
  webSockets = true // whether they get through
  deaf = false // whether clients are answered nothing
  mute = false // whether what clients say is done, but not answered
  said = [] // by clients
  busy = 0 // how many of the next that clients say are refused
  lose = () => false // asked for each frame, whether the connection breaks in place of it
  #kept = new Map()
  #last = 0

  install() {
    const server = this
    globalThis.WebSocket = class extends Wire {
      constructor(url, protocol) {
        super(server, url, protocol)
      }
    }
    globalThis.EventSource = class extends Stream {
      constructor(url, options) {
        super(server, url, options)
      }
    }
  }

  log(ch) {
    if (!this.#kept.has(ch)) this.#kept.set(ch, [])
    return this.#kept.get(ch)
  }

  top(ch) {
    return ch.startsWith("live") ? undefined : this.epoch + "." + this.log(ch).length.toString(36)
  }

  publish(ch, data, more) {
    this.log(ch).push(data)
    const f = { op: "msg", ch, pos: this.top(ch), data, ...more }
    for (const c of this.connections) if (c.channels.has(ch)) c.tell(f)
  }

  // everybody tells all connections something.
  everybody(f) {
    for (const c of this.connections) c.tell(f)
  }

  // close ends all connections.
  close(code = 1006, reason = "") {
    for (const c of [...this.connections]) c.closed(code, reason)
  }

  // since is what came after a position, as the answer to sub and the messages behind it.
  since(ch, since) {
    const all = this.log(ch)
    const pos = this.top(ch)
    if (!pos) return [{ ...(since && { gap: "off" }) }, []]
    let from = all.length
    if (since.startsWith("last:")) from = Math.max(all.length - Number(since.slice(5)), all.length - this.size, 0)
    else if (since) {
      const [epoch, n] = since.split(".")
      from = parseInt(n, 36)
      if (epoch !== this.epoch) return [{ pos, gap: "epoch" }, []]
      if (from > all.length) return [{ pos, gap: "ahead" }, []]
      if (from < all.length - this.size) return [{ pos, gap: "expired" }, []]
    }
    const at = n => this.epoch + "." + n.toString(36)
    const missed = all.slice(from).map((data, i) => ({ op: "msg", ch, pos: at(from + i + 1), data }))
    return [{ pos, ...(missed.length && { n: missed.length }) }, missed]
  }

  subscribe(c, ch, since, id) {
    const mayNot = ch.startsWith("secret") || (ch.startsWith("g:") && !c.channels.has(ch))
    if (mayNot) return c.tell({ op: "err", id, ch, code: 403, msg: "it may not" })
    const [answer, missed] = this.since(ch, since)
    c.channels.add(ch)
    c.tell({ op: "sub", id, ch, ...answer })
    for (const f of missed) c.tell(f)
  }

  // hear takes what a client says for others. A call of rpc is answered by its method and data.
  hear(c, f) {
    const { op, id, ch, method, data } = f
    if (this.busy > 0) {
      this.busy--
      return c.tell({ op: "err", id, code: 503, msg: "nobody has taken it" })
    }
    this.said.push(f)
    if (op === "pub") this.publish(ch, data)
    const answer = { pub: { ch, pos: op === "pub" && this.top(ch) }, rpc: { data: [method, data] } }[op]
    if (!this.mute) c.tell({ op, id, ...answer })
  }

  welcome(c, subs, id) {
    c.tell({ op: "welcome", id, conn: "c:" + ++this.#last, uid: "7", ping: 25, max: 65536, hb: c.wire.send && this.hb })
    this.subscribe(c, "u:7", subs["u:7"] || "")
    for (const [ch, since] of Object.entries(subs)) if (ch !== "u:7") this.subscribe(c, ch, since)
  }

  take(c, f) {
    this.heard.push(f)
    if (this.deaf) return
    const { id, ch } = f
    switch (f.op) {
      case "hello":
        if (!this.token || f.token === this.token) return this.welcome(c, f.sub)
        c.tell({ op: "bye", code: 4001, why: "the token is not valid" })
        return c.closed(4001, "the token is not valid")
      case "sub":
        return this.subscribe(c, ch, f.since || "", id)
      case "unsub":
        c.channels.delete(ch)
        return c.tell({ op: "unsub", id, ch })
      case "hist": {
        const [answer, messages] = this.since(ch, f.since || "last:" + f.n)
        return c.tell({ op: "hist", id, ch, ...answer, messages: messages.slice(0, f.n) })
      }
      case "presence":
        return c.tell({ op: "presence", id, ch, n: 1, users: { 7: { name: "Ann" } } })
      case "auth":
        if (!this.token || f.token === this.token) return c.tell({ op: "auth", id })
        return c.tell({ op: "err", id, code: 401, msg: "no" })
      case "pub":
      case "say":
      case "rpc":
        return this.hear(c, f)
      case "hb":
        return c.tell({ op: "hb" })
    }
    c.tell({ op: "err", id, code: 400, msg: "unknown" })
  }
}

// Connection is the server's end of a wire.
class Connection {
  channels = new Set()
  constructor(server, wire) {
    this.server = server
    this.wire = wire
    server.connections.add(this)
  }

  // tell sends a frame, unless the connection breaks in place of it.
  tell(f) {
    if (!this.server.connections.has(this)) return
    if (this.server.lose()) return this.closed(1006, "")
    const data = JSON.stringify(f)
    setTimeout(() => this.wire.gone || this.wire.onmessage?.({ data }), latency)
  }

  closed(code, reason) {
    this.server.connections.delete(this)
    setTimeout(() => this.wire.fail(code, reason), latency)
  }
}

class Wire {
  constructor(server, url, protocol) {
    if (protocol !== "lineman.v1") throw new Error("the protocol is " + protocol)
    this.server = server
    server.attempts.push(String(url))
    setTimeout(() => {
      if (this.gone) return
      if (!server.reachable || !server.webSockets) return this.fail(1006, "")
      this.end = new Connection(server, this)
      this.onopen()
    }, latency)
  }

  send(text) {
    if (!this.end) throw new Error("it is not open")
    const { server } = this
    setTimeout(() => {
      if (!server.connections.has(this.end)) return
      if (server.lose()) return this.end.closed(1006, "")
      server.take(this.end, JSON.parse(text))
    }, latency)
  }

  close() {
    this.gone = true
    this.server.connections.delete(this.end)
  }

  fail(code, reason) {
    if (this.gone) return
    this.gone = true
    if (code === 1006) this.onerror?.({})
    this.onclose?.({ code, reason })
  }
}

class Stream {
  constructor(server, url, { withCredentials } = {}) {
    this.server = server
    this.withCredentials = withCredentials
    server.attempts.push(String(url))
    setTimeout(() => {
      if (this.gone) return
      if (!server.reachable) return this.fail()
      const query = new URL(url).searchParams
      const last = query.get("last")
      const subs = {}
      for (const ch of (query.get("sub") || "").split(",").filter(Boolean)) subs[ch] = last ? "last:" + last : ""
      for (const pair of (query.get("lastEventId") || "").split(";").filter(Boolean)) {
        const [ch, pos] = pair.split("=")
        subs[decodeURIComponent(ch)] = pos
      }
      this.end = new Connection(server, this)
      if (server.token && query.get("token") !== server.token) return this.fail()
      this.onopen?.()
      server.welcome(this.end, subs)
    }, latency)
  }

  close() {
    this.gone = true
    this.server.connections.delete(this.end)
  }

  fail() {
    if (this.gone) return
    this.onerror?.({})
  }
}
