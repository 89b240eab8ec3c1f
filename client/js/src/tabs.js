import { link, listen } from "./link.js"

// The tabs of a browser talk over a BroadcastChannel with the one that hosts their connection: the one that has the
// lock. The next tab that waits for the lock is the next host.
//
//	tab ──▶ host    {tab, up: a frame, or hi, or bye}
//	host ──▶ tabs   {down: a frame}

// tab is in each tab in place of a link.
export function tab(url, options, _, up) {
  const name = "lineman:" + url
  const me = Math.random()
  let bus = new BroadcastChannel(name)
  let timer // of an answer to hi
  let leave // ends the hosting

  const send = up => {
    bus?.postMessage({ tab: me, up })
    up.again = true
  }

  // stand waits for the lock, and has the connection while it has the lock.
  const stand = how => {
    let end
    const held = done => {
      end = host(url, options, new BroadcastChannel(name))
      leave = () => done(end())
    }
    const stolen = () => {
      end()
      stand({})
    }
    if (bus) navigator.locks.request(name, how, () => bus && new Promise(held)).catch(stolen)
  }

  bus.onmessage = ({ data: { down } }) => {
    if (!down) return
    clearTimeout(timer)
    up(down)
  }

  // wake asks whether there is a host, and takes its place if it does not answer: it may be frozen.
  const wake = () => {
    clearTimeout(timer)
    timer = setTimeout(stand, 5000, { steal: true })
    send({ op: "hi" })
  }

  const close = () => {
    send({ op: "bye" })
    bus?.close()
    bus = null
    leave?.()
  }

  listen("pagehide", e => e.persisted || close())
  stand({})
  wake()
  return { send, wake, close }
}

// host has the connection for all tabs, until the function is called that it returns.
function host(url, options, bus) {
  const users = new Map() // the tabs that want each channel
  let now = {} // the last that was said of the connection as a whole
  const tell = down => bus.postMessage({ down })
  const connection = link(url, options, () => ({}), down => {
    if (/^[w$]/.test(down.op)) now = down // welcome, or what the link says
    tell(down)
  }, true)
  const send = frame => now.conn && connection.send(frame)
  const leave = (f, tab) => {
    const all = users.get(f.ch)
    if (all?.delete(tab) && !all.size) send(f)
  }
  const handlers = {
    hi() {
      tell(now)
      connection.wake()
    },
    bye: (_, tab) => users.forEach((_, ch) => leave({ op: "unsub", ch }, tab)),
    sub(f, tab) {
      users.set(f.ch, (users.get(f.ch) || new Set()).add(tab))
      send(f)
    },
    unsub(f, tab) {
      leave(f, tab)
      tell(f) // which looks like the answer
    },
  }
  bus.onmessage = ({ data: { tab, up } }) => up && (handlers[up.op] || send)(up, tab)
  return () => {
    connection.close()
    bus.close()
  }
}
