import assert from "node:assert/strict"
import { test } from "node:test"
import { browser, clock, last, named, open, server } from "./setup.js"

const waits = line => named(line, "wait").map(f => Math.round(f.delay))

test("waits grow from a second to half a minute, by chance", async () => {
  server.reachable = false
  const line = open()
  await clock.pass(600000)
  const all = waits(line)
  all.slice(0, 10).forEach((delay, i) => assert(delay <= Math.min(30000, 1000 * 2 ** i), `${i}: ${delay}`))
  assert(Math.max(...all) > 20000)
  assert(Math.min(...all.slice(5)) < 15000)
  server.reachable = true
  await clock.pass(40000)
  assert.equal(named(line, "open").length, 1)
})

test("codes of 40xx are final", async () => {
  for (const code of [4001, 4003, 4009, 4010]) {
    const line = open()
    await clock.pass(100)
    const attempts = server.attempts.length
    server.everybody({ op: "bye", code, why: "because" })
    server.close(code, "because")
    await clock.pass(100000)
    assert.equal(server.attempts.length, attempts)
    assert.deepEqual(named(line, "close").map(f => [f.code, f.why]), [[code, "because"]])
    assert.equal(line.conn, null)
  }
})

test("after 41xx it comes when it is told to, and not before", async () => {
  const line = open()
  await clock.pass(100)
  server.everybody({ op: "bye", code: 4101, retry: 7000, why: "restart" })
  server.close(4101, '{"retry":7000}')
  await clock.pass(6000)
  browser.fire("online")
  await clock.pass(900)
  assert.equal(server.attempts.length, 1)
  await clock.pass(200)
  assert.equal(server.attempts.length, 2)
  assert.deepEqual(named(line, "wait").map(f => [f.code, f.delay, f.why]), [[4101, 7000, "restart"]])
})

test("after 42xx it comes at once, but not again and again", async () => {
  let tokens = 0
  const line = open({ token: async () => "t" + ++tokens })
  await clock.pass(20000)
  server.close(4200)
  await clock.pass(30)
  assert.equal(server.attempts.length, 2)
  assert.equal(last("hello").token, "t2")
  server.close(4200)
  await clock.pass(30)
  server.close(4200)
  assert.equal(waits(line)[0], 0)
  assert(waits(line)[1] > 0)
})

test("a token that does not come in time, or fails, is asked for again", async () => {
  const answers = [() => Promise.reject(new Error("offline")), () => new Promise(() => {}), () => "good"]
  const line = open({ token: () => answers.shift()() })
  await clock.pass(24000)
  assert.deepEqual(named(line, "wait").map(f => f.why), ["offline", undefined])
  assert.equal(last("hello").token, "good")
})

test("a token is replaced without another connection", async () => {
  let n = 0
  const line = open({ token: () => "t" + ++n })
  await clock.pass(100)
  server.everybody({ op: "expiring", in: 30 })
  await clock.pass(100)
  assert.deepEqual(last("auth"), { op: "auth", token: "t2" })
  assert.equal(server.attempts.length, 1)
  assert.deepEqual(named(line, "error").map(e => e.code), [])
})

test("a cookie is not replaced", async () => {
  open()
  await clock.pass(100)
  server.everybody({ op: "expiring", in: 30 })
  await clock.pass(100)
  assert.equal(last("auth"), undefined)
})

test("a line that is silent for longer than it should be is made anew", async () => {
  const line = open()
  const got = []
  line.subscribe("chat:1", data => got.push(data))
  await clock.pass(100)
  server.deaf = true
  for (let i = 0; i < 4; i++) { // heartbeats of the server
    await clock.pass(25000)
    server.everybody({ op: "hb" })
  }
  assert.equal(server.attempts.length, 1)
  await clock.pass(34000)
  assert.equal(server.attempts.length, 1)
  server.deaf = false
  server.log("chat:1").push("missed")
  await clock.pass(3000)
  assert.equal(server.attempts.length, 2)
  assert.deepEqual(got, ["missed"])
})

test("a laptop that wakes asks whether the line is there, and makes it anew if it is not", async () => {
  const line = open()
  await clock.pass(100)
  browser.fire("visibilitychange")
  await clock.pass(6000)
  assert.equal(last("hb").op, "hb")
  assert.equal(server.attempts.length, 1)
  server.deaf = true
  clock.sleep(20000)
  document.hidden = true
  browser.fire("visibilitychange")
  await clock.pass(6000)
  assert.equal(server.attempts.length, 1)
  document.hidden = false
  browser.fire("visibilitychange")
  await clock.pass(4000)
  assert.equal(server.attempts.length, 1)
  server.deaf = false
  await clock.pass(3000)
  assert.equal(server.attempts.length, 2)
  clock.sleep(3600000)
  await clock.pass(1100)
  assert.equal(server.attempts.length, 3)
  assert.equal(named(line, "open").length, 3)
})

test("a wait ends when the network is back", async () => {
  server.reachable = false
  open()
  await clock.pass(100000)
  const before = server.attempts.length
  browser.fire("online")
  await clock.pass(10)
  assert.equal(server.attempts.length, before + 1)
})

test("an attempt that is not answered is given up", async () => {
  server.deaf = true
  Math.random = () => 0.9
  const line = open()
  await clock.pass(20100)
  assert.equal(named(line, "wait").length, 1)
  assert.equal(server.connections.size, 0)
})

test("server-sent events where WebSockets do not get through", async () => {
  server.webSockets = false
  server.publish("chat:1", "before")
  const line = open({ sse: "/sse", token: "ann" }, "wss://push.example/live")
  const got = []
  const sub = line.subscribe("chat:1", data => got.push(data), { since: "last:5" })
  await clock.pass(5000)
  assert.deepEqual(got, ["before"])
  assert.equal(new URL(server.attempts.at(-1)).origin, "https://push.example")
  server.publish("chat:1", "live")
  await sub.ready
  const more = []
  line.subscribe("strange;=é", data => more.push(data)).ready.then(() => more.push("ready"))
  await clock.pass(100)
  server.publish("strange;=é", 1)
  await assert.rejects(line.history("chat:1"), { code: 501 })
  server.publish("chat:1", "later")
  server.close() // which a stream does not see
  server.connections.clear()
  await clock.pass(100)
  assert.deepEqual(got, ["before", "live", "later"])
  assert.deepEqual(more, ["ready", 1])
  const query = new URL(server.attempts.at(-1)).searchParams
  assert.equal(query.get("token"), "ann")
  assert.equal(query.get("lastEventId"), "chat%3A1=e1.2;u%3A7=e1.0")
})

test("a stream that was silent is made anew when the page comes to the front", async () => {
  server.webSockets = false
  open({ sse: "/sse" })
  await clock.pass(5000)
  const before = server.attempts.length
  browser.fire("visibilitychange")
  await clock.pass(100)
  assert.equal(server.attempts.length, before)
  await clock.pass(40000)
  browser.fire("visibilitychange")
  await clock.pass(100)
  assert.equal(server.attempts.length, before + 1)
  assert.deepEqual([...server.connections].map(c => c.wire.withCredentials), [true])
})

test("a stream whose token expires is opened with another one", async () => {
  server.webSockets = false
  let n = 0
  open({ sse: "/sse", token: () => "t" + ++n })
  await clock.pass(5000)
  const before = n
  server.everybody({ op: "expiring", in: 30 })
  await clock.pass(100)
  assert.equal(new URL(server.attempts.at(-1)).searchParams.get("token"), "t" + (before + 1))
})

test("a WebSocket is tried again when a stream ends, and first of all", async () => {
  server.webSockets = false
  open({ sse: "/sse" })
  await clock.pass(5000)
  assert(server.attempts.at(-1).startsWith("http:"))
  server.webSockets = true
  for (const c of [...server.connections]) c.wire.fail()
  await clock.pass(5000)
  assert(server.attempts.at(-1).startsWith("ws:"))
  server.reachable = false
  server.close()
  const before = server.attempts.length
  await clock.pass(100000)
  assert.deepEqual(server.attempts.slice(before, before + 3).map(a => a.slice(0, 3)), ["ws:", "ws:", "ws:"])
})

test("without the option there are no server-sent events", async () => {
  server.webSockets = false
  open()
  await clock.pass(100000)
  assert(server.attempts.every(a => a.startsWith("ws:")))
})

test("many frames are spread over time, in their order", async () => {
  const line = open()
  await clock.pass(100)
  server.heard = []
  for (let i = 0; i < 100; i++) line.subscribe("chat:" + i, () => {})
  let before = 0
  for (let second = 0; second < 3; second++) {
    await clock.pass(1000)
    assert(server.heard.length - before <= 50, `${server.heard.length - before} frames in a second`)
    before = server.heard.length
  }
  await clock.pass(1000)
  assert.deepEqual(server.heard.map(f => f.ch), Array.from({ length: 100 }, (_, i) => "chat:" + i))
})

test("what comes later does not overtake what waits", async () => {
  const line = open()
  await clock.pass(1000)
  server.heard = []
  const names = Array.from({ length: 20 }, (_, i) => "chat:" + i)
  for (const ch of names) line.subscribe(ch, () => {})
  clock.sleep(5000) // timers are late, as in a page that is hidden
  line.subscribe("chat:20", () => {})
  await clock.pass(1000)
  assert.deepEqual(server.heard.map(f => f.ch), [...names, "chat:20"])
})
