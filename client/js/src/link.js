const patience = 20000 // milliseconds that a token and a welcome may take together
const probeTime = 5000 // milliseconds in which something has to be heard after a probe
const proof = 10000 // milliseconds after which a connection counts as good
const longest = 30000 // milliseconds between two attempts, at most

// link is a connection that comes back by itself.
//
//	          token, hello              welcome
//	waiting ──────────────▶ connecting ─────────▶ open
//	   ▲                        │                   │
//	   └─────────── end ────────┴───────────────────┴──▶ over: a code of 40xx, or close
//
// up(frame) hears each frame of the server, and what the link itself says by an op of its own: $wait, $close, and
// $alone, with which a host of tabs ends where it would try server-sent events.
export function link(url, { token, sse }, wanted, up, isHost) {
  let wire // a WebSocket, or an EventSource; nothing while there is none
  let streams // whether the wire is an EventSource, or the next one
  let timer // one at a time: of waiting, of connecting, or of the watch
  let turn = 0 // what belongs to an earlier one comes too late
  let waits = true // and may be woken
  let tries = 0
  let misses = 0 // WebSockets in a row that had no welcome, of which the second has a stream tried
  let welcomed = 0 // when; 0 before
  let usual // milliseconds for which nothing may come
  let deadline // by which something has to come
  let bye
  let slot = 0 // when the last frame was due to be sent
  let delayed = 0 // frames that are not sent yet

  const { now } = Date
  const later = (f, delay) => {
    clearTimeout(timer)
    timer = setTimeout(f, delay)
  }

  const close = () => {
    clearTimeout(timer)
    turn++
    wire?.close()
    waits = welcomed = delayed = 0
  }

  const credential = async () => (token?.call ? token() : token)

  // guard makes a callback one that does nothing once this turn is over.
  const guard = (f, mine = turn) => x => turn == mine && f(x)

  const connect = () => {
    close()
    const take = guard(frame)
    bye = {}
    later(end, patience)
    credential().then(guard(shown => {
      wire = streams
        ? new EventSource(address(url, sse, shown, wanted()), { withCredentials: !token })
        : new WebSocket(url, "lineman.v1")
      wire.onopen = guard(() => streams || send({ op: "hello", token: shown, sub: wanted(), batch: true, hb: true }))
      wire.onmessage = e => [].concat(JSON.parse(e.data)).forEach(take)
      wire.onclose = wire.onerror = guard(end) // a WebSocket that fails has no other code than 1006
    })).catch(guard(error => end({ reason: error.message })))
  }

  const frame = f => {
    if (f.op == "welcome") {
      welcomed = now()
      usual = 1e3 * (f.hb || 1e6) + 1e4
      later(watch)
    }
    if (f.op == "bye") bye = f
    if (f.op == "expiring" && token) renew()
    deadline = now() + usual
    up(f)
  }

  // watch ends what has been silent for too long.
  const watch = () => {
    const left = deadline - now()
    left > 0 ? later(watch, left) : end()
  }

  // renew shows another token, which takes another stream. If there is none, the end of the old one is soon enough.
  const renew = () => (streams ? connect() : credential().then(guard(token => send({ op: "auth", token })), () => {}))

  const end = ({ code = 1006, reason } = {}) => {
    const { retry, why = reason } = bye
    code = bye.code || code
    if (welcomed) {
      if (now() - welcomed > proof) tries = 0
      misses = streams ? 1 : isHost ? -1e9 : -4 // where WebSockets have got through, they do so again
    }
    streams = !welcomed && !streams && sse && ++misses > 1
    close()
    if (/^40/.test(code)) return up({ op: "$close", code, why })
    if (streams && isHost) return up({ op: "$alone" })
    const spread = streams || (/^42/.test(code) && !tries) ? 0 : Math.min(longest, 1e3 * 2 ** tries)
    const delay = retry ?? Math.random() * spread
    tries++
    waits = !retry
    later(connect, delay)
    up({ op: "$wait", code, why, delay })
  }

  // send spreads many frames over time, as the server ends a connection that says more than 50 in a second.
  const send = f => {
    slot = Math.max(slot + 30, now() - 300)
    const delay = slot - now()
    if (delayed++ || delay > 0) setTimeout(guard(write), delay, f)
    else write(f)
  }

  const write = f => {
    delayed--
    if (!streams) {
      wire.send(JSON.stringify(f))
      f.again = true // if it is sent once more
    } else if (/sub/.test(f.op)) later(connect, 50) // of all that is wanted then
    else up({ op: "err", id: f.id, code: 501, msg: "no WebSocket" })
  }

  later(connect) // so hello has what is subscribed to until then
  return {
    send,
    close,

    // wake finds out whether the connection is still there, or ends the waiting. A stream that was silent for some time
    // is made anew, as it cannot be asked.
    wake() {
      if (waits || (streams && deadline - now() < usual - longest)) connect()
      else if (welcomed && !streams) {
        send({ op: "hb" })
        deadline = now() + probeTime
        watch()
      }
    },
  }
}

// address is that of a stream of what is wanted: the channels, and since when.
function address(url, sse, token, wanted) {
  const at = new URL(sse, "http" + url.slice(2))
  const sub = []
  const places = []
  let last = ""
  for (const [ch, since] of Object.entries(wanted)) {
    const [, n] = since.split("last:")
    if (!isPersonal(ch)) sub.push(ch)
    if (n) last = Math.max(last, n)
    else if (since) places.push(encodeURIComponent(ch) + "=" + since)
  }
  at.search += "&" + new URLSearchParams({ token: token ?? "", sub, last, lastEventId: places.join(";") })
  return at
}

export const listen = (name, f) => globalThis.addEventListener?.(name, f)

// isPersonal reports whether a target is none that one subscribes to: a uid, a group, a connection, or everybody.
export const isPersonal = target => /^[ugc]:|^\*/.test(target)
