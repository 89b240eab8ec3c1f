// A clock that tests move on. It takes the place of the timers and of Date.now, for the code under test and for fakes.
const real = { setImmediate, setTimeout, clearTimeout, now: Date.now, random: Math.random }

export class Clock {
  #timers = new Map()
  #last = 0
  now = 1e12

  install() {
    globalThis.setTimeout = (f, delay = 0, ...args) => {
      const id = ++this.#last
      this.#timers.set(id, { id, at: this.now + Math.max(Number(delay), 0), f, args })
      return id
    }
    globalThis.clearTimeout = id => this.#timers.delete(id)
    Date.now = () => this.now
  }

  static uninstall() {
    globalThis.setTimeout = real.setTimeout
    globalThis.clearTimeout = real.clearTimeout
    Date.now = real.now
    Math.random = real.random
  }

  // pass lets time pass: what is due happens in its order, and promises settle in between.
  async pass(milliseconds) {
    const end = this.now + milliseconds
    for (;;) {
      await settled()
      let next
      for (const t of this.#timers.values()) {
        if (t.at <= end && (!next || t.at < next.at || (t.at === next.at && t.id < next.id))) next = t
      }
      if (!next) break
      this.#timers.delete(next.id)
      this.now = Math.max(this.now, next.at)
      next.f(...next.args)
    }
    this.now = end
  }

  // sleep is what a laptop does: time passes, and nothing happens.
  sleep(milliseconds) {
    this.now += milliseconds
  }
}

// settled waits until promises have settled.
export const settled = () => new Promise(done => real.setImmediate(done))

// random makes numbers from 0 to 1 that depend only on a seed (mulberry32).
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
