// Nothing missed: with cuts at any frame, each message comes once, in order, or a gap was told.
import assert from "node:assert/strict"
import { test } from "node:test"
import { random } from "./clock.js"
import { clock, memory, open, server, start } from "./setup.js"

const channels = ["chat:1", "chat:2", "news"]

// reader subscribes to a channel, and checks what comes: numbers from 1 on.
class Reader {
  next = 1
  gaps = 0
  wrong = []
  constructor(line, ch, options) {
    this.ch = ch
    this.sub = line.subscribe(ch, n => this.take(n), { ...options, onGap: () => this.gap() })
  }

  take(n) {
    if (this.gapped ? n < this.next : n !== this.next) this.wrong.push(`${n} in place of ${this.next}`)
    this.next = n + 1
    this.gapped = false
  }

  gap() {
    this.gaps++
    this.gapped = true
  }

  // complete checks that it has what a server has.
  complete(what) {
    assert.deepEqual(this.wrong, [], what)
    if (!this.gapped) assert.equal(this.next, server.log(this.ch).length + 1, `${what}: ${this.ch} misses the end`)
  }
}

test("a cut at each frame", async () => {
  let frames = Infinity
  for (let cut = 0; cut < frames; cut++) {
    start()
    let n = 0
    server.lose = () => n++ === cut
    const line = open({ token: async () => "ann" })
    const readers = channels.map(ch => new Reader(line, ch))
    await clock.pass(3000) // whatever is cut, it is subscribed
    for (let i = 1; i <= 5; i++) {
      for (const ch of channels) server.publish(ch, i)
      await clock.pass(2)
    }
    await clock.pass(5000)
    for (const r of readers) {
      r.complete(`cut at frame ${cut}`)
      assert.equal(r.gaps, 0)
    }
    if (n <= cut) frames = cut
  }
  assert(frames > 20)
})

test("cuts at random", async () => {
  let gaps = 0
  for (let seed = 1; seed <= 60; seed++) {
    start(seed)
    const chance = random(seed)
    server.size = seed % 3 === 0 ? 3 : 1e9
    const storage = memory()
    let line = open({ storage })
    let readers = channels.map(ch => new Reader(line, ch))
    await clock.pass(1000)
    const losses = chance() * 0.3
    server.lose = () => chance() < losses
    for (let i = 0; i < 100; i++) {
      const ch = channels[Math.floor(chance() * channels.length)]
      server.publish(ch, server.log(ch).length + 1)
      await clock.pass(chance() * (chance() < 0.1 ? 3000 : 20))
      if (chance() < 0.02 && !readers.some(r => !r.sub.position)) {
        line.close() // the page is loaded anew
        line = open({ storage })
        readers = readers.map(({ ch, next, gaps, gapped }) => (
          Object.assign(new Reader(line, ch), { next, gaps, gapped })))
      }
    }
    server.lose = () => false
    await clock.pass(40000)
    for (const r of readers) {
      r.complete(`seed ${seed}`)
      if (server.size > 1000) assert.equal(r.gaps, 0, `seed ${seed}: a gap where everything is kept`)
      gaps += r.gaps
    }
  }
  assert(gaps > 10)
})
