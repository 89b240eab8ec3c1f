import assert from "node:assert/strict"
import { test } from "node:test"
import { random } from "./clock.js"
import { browser, clock, last, named, open, server, start } from "./setup.js"

// tab opens one with a subscription.
function tab(ch, options, more) {
  const line = open({ shared: true, ...options })
  const got = []
  const sub = line.subscribe(ch, data => got.push(data), more)
  return { line, got, sub }
}

test("tabs have one connection, and each gets what it wants", async () => {
  for (const n of [1, 2, 3]) server.publish("chat:1", n)
  const a = tab("chat:1")
  await clock.pass(100)
  const b = tab("chat:1", {}, { since: "last:2" })
  const c = tab("chat:2")
  await clock.pass(100)
  server.publish("chat:1", 4)
  server.publish("chat:2", "x")
  server.publish("u:7", "mine")
  await clock.pass(100)
  assert.equal(server.attempts.length, 1)
  assert.deepEqual([a.got, b.got, c.got], [[4], [2, 3, 4], ["x"]])
  for (const { line } of [a, b, c]) {
    assert.deepEqual(named(line, "msg"), ["mine"])
    assert.deepEqual(named(line, "open").map(f => f.conn), ["c:1"])
    const history = line.history("chat:1", { n: 2 })
    await clock.pass(100)
    assert.deepEqual((await history).messages.map(m => m.data), [3, 4])
  }
})

test("a gap is told to the tabs that it concerns", async () => {
  const a = tab("chat:1")
  const b = tab("chat:2")
  await clock.pass(100)
  server.everybody({ op: "gap", ch: "chat:1", gap: "expired", pos: "e1.5" })
  server.everybody({ op: "gap", ch: "chat:3", gap: "expired", pos: "e1.5" })
  await clock.pass(3) // it has not come yet
  const c = tab("chat:1", {}, { since: "e1.0" })
  await clock.pass(100)
  assert.deepEqual(named(a.line, "gap").map(f => f.ch), ["chat:1"])
  assert.deepEqual(named(b.line, "gap"), [])
  assert.deepEqual(named(c.line, "gap"), [])
  assert.equal(c.sub.position, "e1.0")
})

test("a channel is left when no tab wants it any more", async () => {
  const a = tab("chat:1")
  const b = tab("chat:1")
  const c = tab("chat:1")
  await clock.pass(100)
  a.sub.unsubscribe()
  await clock.pass(100)
  server.publish("chat:1", 1)
  await clock.pass(100)
  assert.deepEqual([a.got, b.got, c.got], [[], [1], [1]])
  b.line.close()
  await clock.pass(100)
  assert.equal(last("unsub"), undefined)
  c.sub.unsubscribe()
  await clock.pass(100)
  assert.equal(last("unsub").ch, "chat:1")
  assert.equal(server.connections.size, 1)
  server.heard = []
  server.close()
  await clock.pass(2000)
  assert.equal(last("hello").op, "hello")
  assert.equal(last("unsub"), undefined)
})

test("another tab goes on when the one with the connection is closed", async () => {
  const a = tab("chat:1")
  const b = tab("chat:1")
  await clock.pass(100)
  server.publish("chat:1", 1)
  server.publish("u:7", "one")
  await clock.pass(100)
  a.line.close()
  server.publish("chat:1", 2)
  server.publish("u:7", "two")
  await clock.pass(100)
  server.publish("chat:1", 3)
  await clock.pass(100)
  assert.deepEqual([a.got, b.got], [[1], [1, 2, 3]])
  assert.deepEqual(named(b.line, "msg"), ["one", "two"])
  assert.equal(server.attempts.length, 2)
  assert.equal(server.connections.size, 1)
})

test("the connection of a tab that is frozen is taken over", async () => {
  const a = tab("chat:1")
  await clock.pass(100)
  browser.freeze()
  const b = tab("chat:1")
  await clock.pass(4900)
  assert.equal(named(b.line, "open").length, 0)
  await clock.pass(200)
  assert.equal(named(b.line, "open").length, 1)
  server.publish("chat:1", 1)
  await clock.pass(100)
  assert.deepEqual(b.got, [1])
  assert.equal(server.connections.size, 1)
  browser.thaw()
  b.line.close()
  await clock.pass(100)
  server.publish("chat:1", 2)
  await clock.pass(100)
  assert.deepEqual(a.got, [1, 2])
})

test("a tab that comes to the front ends the waiting of all", async () => {
  server.reachable = false
  const a = tab("chat:1")
  await clock.pass(100000)
  const before = server.attempts.length
  browser.fire("visibilitychange")
  await clock.pass(20)
  assert.equal(server.attempts.length, before + 1)
  assert(named(a.line, "wait").length > 3)
})

test("all tabs are told of waits and of the end", async () => {
  const a = tab("chat:1")
  const b = tab("chat:1")
  await clock.pass(100)
  server.everybody({ op: "bye", code: 4101, retry: 500 })
  server.close(4101)
  await clock.pass(100)
  const late = tab("chat:1")
  await clock.pass(600)
  server.everybody({ op: "bye", code: 4010, why: "kicked" })
  server.close(4010)
  await clock.pass(100)
  for (const { line } of [a, b]) {
    assert.deepEqual(line.events.map(e => e[0]).filter(name => name !== "open"), ["wait", "close"].flatMap(
      name => name === "wait" ? named(line, "wait").map(() => name) : [name]))
    assert(named(line, "wait").length > 0)
  }
  for (const { line } of [a, b, late]) assert.deepEqual(named(line, "close").map(f => f.code), [4010])
})

test("each tab goes alone by server-sent events where WebSockets do not get through", async () => {
  server.webSockets = false
  const a = tab("chat:1", { sse: "/sse" })
  const b = tab("chat:1", { sse: "/sse" })
  await clock.pass(20000)
  server.publish("chat:1", 1)
  await clock.pass(100)
  assert.deepEqual([a.got, b.got], [[1], [1]])
  assert.equal(server.connections.size, 2)
})

test("nothing is missed by any tab while tabs come and go and the network is cut", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    start(seed)
    const chance = random(seed)
    const tabs = []
    const add = () => {
      const t = tab("chat:" + Math.floor(chance() * 2), {}, { onGap: f => t.got.push("gap " + f.gap) })
      t.sub.ready.then(f => (t.from = Number.parseInt(f.pos.split(".")[1], 36)), () => {})
      tabs.push(t)
    }
    add()
    await clock.pass(1000)
    const losses = chance() * 0.1
    server.lose = () => chance() < losses
    for (let i = 0; i < 60; i++) {
      const ch = "chat:" + Math.floor(chance() * 2)
      server.publish(ch, server.log(ch).length + 1)
      if (chance() < 0.1 && tabs.length < 6) add()
      if (chance() < 0.1 && tabs.length > 1) tabs.splice(Math.floor(chance() * tabs.length), 1)[0].line.close()
      if (chance() < 0.05) browser.fire("visibilitychange")
      await clock.pass(chance() * (chance() < 0.2 ? 3000 : 20))
    }
    server.lose = () => false
    await clock.pass(60000)
    for (const [i, { got, from, sub }] of tabs.entries()) {
      const top = parseInt(sub.position.split(".")[1], 36)
      const all = Array.from({ length: top - from }, (_, i) => from + i + 1)
      assert.deepEqual(got, all, `seed ${seed}, tab ${i}`)
    }
    assert.equal(server.connections.size, 1)
  }
})
