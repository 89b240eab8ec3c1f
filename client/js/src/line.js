import { isPersonal, link, listen } from "./link.js"
import { tab } from "./tabs.js"

// line is what a page has: events, subscriptions with their callbacks and positions, requests with their promises.
export function line(url, options) {
  const { storage, shared } = options
  const key = "lineman:" + url
  const positions = new Map(JSON.parse(storage?.getItem(key) || "[]")) // of each target, the last that was processed
  const channels = new Map()
  const requests = new Map() // by id, until they are answered
  const listeners = {}
  let told = new Map() // what hello has asked for and is not answered: the request's id for each channel, or 0
  let id = (Math.random() * 2 ** 32) >>> 0 // tabs on the same connection count from different numbers

  const close = (f = { code: 1000 }) => {
    if (!connection) return
    connection.close()
    connection = self.conn = null
    requests.forEach((_, id) => fail(id, f))
    emit("close", f)
  }

  const self = {
    on(name, f) {
      const all = (listeners[name] ||= new Set())
      all.add(f)
      return () => all.delete(f)
    },

    subscribe(ch, onMessage, options = {}) {
      const channel = channelOf(ch)
      const sub = { ...options, onMessage }
      if (!channel.subs.size) {
        channel.start = options.since
        channel.joined = join(channel)
      }
      channel.subs.add(sub)
      return {
        ready: channel.joined,
        get position() {
          return positions.get(ch)
        },
        unsubscribe() {
          if (!channel.subs.delete(sub) || channel.subs.size || channels.get(ch) != channel) return
          forget(ch)
          ask({ op: "unsub", ch })
        },
      }
    },

    history: (ch, options) => ask({ ...options, op: "hist", ch }),
    presence: ch => ask({ op: "presence", ch }),
    publish: (ch, data, options) => ask({ ...options, op: "pub", ch, data }),
    say: data => ask({ op: "say", data }),
    rpc: (method, data, options) => ask({ op: "rpc", method, data }, options?.timeout),
    close,
  }

  const emit = (name, ...args) => listeners[name]?.forEach(f => call(f, ...args))
  const tell = (f, name) => channels.get(f.ch)?.subs.forEach(sub => call(sub[name], f))

  const channelOf = ch => {
    if (!channels.has(ch)) channels.set(ch, { ch, subs: new Set(), id: 0 })
    return channels.get(ch)
  }

  // ask sends a request, now or at the next welcome, and then again at each one until it is answered.
  const ask = (frame, timeout) => {
    frame.id = ++id
    const answer = new Promise((resolve, reject) => {
      requests.set(id, [frame, f => f.op == "err" ? reject(failure(f)) : resolve(f.op == "rpc" ? f.data : f)])
    })
    answer.catch(() => {}) // nobody has to wait for it
    if (timeout) setTimeout(fail, timeout, id)
    if (!connection) fail(id, {})
    if (self.conn) connection.send(frame)
    return answer
  }

  // change takes over another connection, or none. What must not be done twice, and may have been done, is given up.
  const change = conn => {
    self.conn = conn
    requests.forEach(([frame], id) => {
      if (frame.again && /pub|rpc/.test(frame.op)) fail(id)
      else if (conn && told.get(frame.ch) != id) connection.send(frame)
    })
  }

  const sinceOf = channel => positions.get(channel.ch) || channel.start || ""

  // join asks for a channel. What comes of it before the answer is not for this page: it was for another tab.
  const join = channel => {
    const { ch } = channel
    const answer = ask({ op: "sub", ch, since: sinceOf(channel) })
    channel.id = id
    answer.catch(error => {
      if (channels.get(ch) != channel || !connection) return
      if (/409|429|503/.test(error.code)) return setTimeout(join, 2e3, channel)
      if (!channel.subs.size) return channels.delete(ch) // a group that a back end may put it into later
      forget(ch)
      emit("error", error)
    })
    return answer
  }

  const wanted = () =>
    [...channels.values()].filter(({ ch, subs }) => subs.size || (isPersonal(ch) && positions.has(ch)))

  const hello = () => {
    told = new Map()
    return Object.fromEntries(wanted().map(channel => {
      told.set(channel.ch, channel.id)
      return [channel.ch, sinceOf(channel)]
    }))
  }

  const published = f => {
    const { ch, pos, op } = f
    const channel = isPersonal(ch) ? channelOf(ch) : channels.get(ch)
    if (!channel) return
    const replayed = op == "msg" && channel.due > 0 && channel.due--
    if (channel.id) return
    const step = pos && positions.has(ch) ? distance(positions.get(ch), pos) : 1
    if (step < 1) return
    if (step != 1 && !replayed) return join(channel)
    if (op == "msg") {
      decode(f)
      if (!channel.subs.size) emit("msg", f.data, f)
      channel.subs.forEach(sub => call(sub.onMessage, f.data, f))
    }
    if (pos && channels.has(ch)) store(f)
  }

  const handlers = {
    __proto__: null,
    welcome(f) {
      if (self.conn == f.conn) return
      change(f.conn)
      self.uid = f.uid
      wanted().forEach(channel => channel.id || told.has(channel.ch) || join(channel))
      emit("open", f)
    },
    sub(f) {
      const channel = f.id ? channels.get(f.ch) || {} : channelOf(f.ch)
      channel.due = f.n
      if (channel.id != f.id) return // it is the answer to another tab
      channel.id = 0
      if (f.gap) handlers.gap(f)
      else if (f.unasked && f.pos && (positions.get(f.ch) || f.pos) != f.pos) join(channel) // it was in it before
      else if (!f.n) store(f)
      tell(f, "onSub")
    },
    msg: published,
    pos: published,
    gap(f) {
      if (channels.get(f.ch)?.id != 0) return // it was for another tab
      store(f)
      tell(f, "onGap")
      emit("gap", f)
    },
    rpc: decode,
    hist: f => f.messages.forEach(decode),
    join: f => tell(f, "onJoin"),
    leave: f => tell(f, "onLeave"),
    presence: f => tell(f, "onUsers"), // asked for, or not
    unsub(f) {
      if (f.why && forget(f.ch)) emit("error", failure(f))
    },
    err(f) {
      if (f.id) return
      if (channels.has(f.ch)) join(channelOf(f.ch)) // which is answered in the same way, if nothing has changed
      else emit("error", failure(f))
    },
    $wait(f) {
      change()
      emit("wait", f)
    },
    $close: close,
    $alone() {
      connection.close()
      connection = open(link)
    },
  }

  // store keeps a position, or forgets it where there is none.
  const store = ({ ch, pos }) => {
    pos ? positions.set(ch, pos) : positions.delete(ch)
    call(() => storage?.setItem(key, JSON.stringify([...positions])))
  }

  const forget = ch => {
    store({ ch })
    return channels.delete(ch)
  }

  const frame = f => {
    if (!f.id) { // it may answer hello
      f.id = told.get(f.ch) || 0
      f.unasked = !told.delete(f.ch)
    }
    handlers[f.op]?.(f)
    requests.get(f.id)?.[1](f)
    requests.delete(f.id)
  }

  // fail answers a request in place of the server.
  const fail = (id, why = { code: 504, msg: "no answer: it may have been done" }) => frame({ ...why, op: "err", id })

  const open = kind => kind(url, options, hello, frame)
  positions.forEach((_, ch) => isPersonal(ch) && channelOf(ch))
  let connection = open(shared && navigator.locks ? tab : link)
  for (const name of ["online", "visibilitychange"]) {
    listen(name, () => globalThis.document?.hidden || connection?.wake())
  }
  return self
}

// call has an error in a callback be reported as one that nobody has caught, and disturb nothing else.
const call = (f, ...args) => {
  try {
    f?.(...args)
  } catch (error) {
    setTimeout(() => {
      throw error
    })
  }
}

const failure = f => Object.assign(Error("lineman: " + (f.msg || f.why || "closed")), f)

// decode has data be what was published: JSON, text or bytes.
const decode = m => {
  m.data = m.b64 ? Uint8Array.from(atob(m.b64), c => c.charCodeAt()) : m.text ?? m.data
}

// distance is how far one position is behind another: NaN if that cannot be told.
const distance = (...positions) => {
  const [[, epoch, from], [, other, to]] = positions.map(position => /(.*)\.(.*)/.exec(position))
  return epoch == other ? parseInt(to, 36) - parseInt(from, 36) : NaN
}
