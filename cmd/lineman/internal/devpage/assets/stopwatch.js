// How long messages take, from when the page has sent them to when a user has them.

const most = 1000 // messages that are looked for, and times that are kept
const drawn = 40 // times in a plot

const watches = new Set()

// sends notes that a message was sent.
export function sends(to, data) {
  const message = { to, text: JSON.stringify(data), at: performance.now() }
  watches.forEach(watch => watch.expect(message))
}

// Stopwatch is that of one user.
export class Stopwatch {
  #expected = [] // the oldest first
  #took = [] // milliseconds, likewise

  constructor() { watches.add(this) }

  end() { watches.delete(this) }

  expect(message) {
    this.#expected.push(message)
    if (this.#expected.length > most) this.#expected.shift()
  }

  // forget forgets what was sent to a target, or to all: the user comes only now, and did not get it.
  forget(to) { this.#expected = to ? this.#expected.filter(message => message.to !== to) : [] }

  // got is how many milliseconds a message took; undefined if the page has not sent it.
  got(to, data) {
    const text = JSON.stringify(data)
    const at = this.#expected.findIndex(message => message.to === to && message.text === text)
    if (at < 0) return undefined
    const took = performance.now() - this.#expected[at].at
    this.#expected.splice(at, 1)
    this.#took.push(took)
    if (this.#took.length > most) this.#took.shift()
    return took
  }

  // told says how long the messages took: the half of them, and 99 of 100.
  get told() {
    const all = this.#took.toSorted((a, b) => a - b)
    if (all.length === 0) return "No message was timed yet."
    const within = part => milliseconds(all[Math.ceil(part * all.length) - 1])
    return `${all.length} timed: p50 ${within(.5)}, p99 ${within(.99)}`
  }

  // line has the points of a plot of the last times, 100 wide and 20 high; none of a single one.
  get line() {
    const last = this.#took.slice(-drawn)
    const top = Math.max(1, ...last), step = 100 / (last.length - 1)
    if (last.length < 2) return ""
    return last.map((took, i) => `${(step * i).toFixed(1)},${(19 - 18 * took / top).toFixed(1)}`).join(" ")
  }
}

export const milliseconds = took => took.toFixed(took < 9.95 ? 1 : 0) + " ms"
