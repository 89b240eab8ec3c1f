// What tabs of a browser share, as tests make it up: a BroadcastChannel and the Web Locks.

export class Browser {
  #buses = new Set()
  #locks = new Map()
  #listeners = new Set()

  install() {
    const buses = this.#buses
    globalThis.BroadcastChannel = class {
      constructor(name) {
        this.name = name
        buses.add(this)
      }
      postMessage(message) {
        if (!buses.has(this)) throw new Error("the channel is closed")
        const data = structuredClone(message)
        for (const b of buses) {
          if (b === this || b.name !== this.name) continue
          setTimeout(() => buses.has(b) && !b.frozen && b.onmessage?.({ data }), 1)
        }
      }
      close() {
        buses.delete(this)
      }
    }
    Object.defineProperty(globalThis, "navigator", { value: { locks: this }, configurable: true })
    globalThis.addEventListener = (name, f) => this.#listeners.add({ name, f })
    globalThis.document = { hidden: false }
  }

  static uninstall() {
    delete globalThis.BroadcastChannel
    delete globalThis.navigator
    delete globalThis.addEventListener
    delete globalThis.document
  }

  fire(name, event = {}) {
    for (const l of this.#listeners) if (l.name === name) l.f(event)
  }

  // freeze has what was opened up to now hear nothing any more, as a tab that a phone has put away.
  freeze() {
    for (const b of this.#buses) b.frozen = true
  }

  thaw() {
    for (const b of this.#buses) b.frozen = false
  }

  request(name, { steal }, f) {
    if (!this.#locks.has(name)) this.#locks.set(name, [])
    const queue = this.#locks.get(name)
    return new Promise((resolve, reject) => {
      const held = { f, resolve, reject }
      if (steal && queue.length) {
        queue.shift().reject(new Error("stolen"))
        queue.unshift(held)
      } else queue.push(held)
      this.#grant(queue)
    })
  }

  #grant(queue) {
    const first = queue[0]
    if (!first || first.granted) return
    first.granted = true
    Promise.resolve(first.f({})).finally(() => {
      if (queue[0] !== first) return
      queue.shift()
      first.resolve()
      this.#grant(queue)
    })
  }
}
