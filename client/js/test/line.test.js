import assert from "node:assert/strict"
import { test } from "node:test"
import { clock, last, memory, named, open, server } from "./setup.js"

// collect subscribes, and keeps what comes.
function collect(line, ch, options) {
  const got = []
  got.sub = line.subscribe(ch, data => got.push(data), options)
  return got
}

test("hello has what was subscribed to, and since when", async () => {
  for (const n of [1, 2, 3]) server.publish("chat:42", n)
  const line = open({ token: () => "ann" })
  const got = collect(line, "chat:42", { since: "last:2" })
  const live = collect(line, "live")
  await clock.pass(100)
  server.publish("chat:42", 4)
  server.publish("live", "now")
  await clock.pass(100)
  assert.deepEqual([...got], [2, 3, 4])
  assert.deepEqual([...live], ["now"])
  assert.equal(got.sub.position, "e1.4")
  assert.equal(live.sub.position, undefined)
  assert.deepEqual(server.heard[0], {
    op: "hello", token: "ann", sub: { "chat:42": "last:2", live: "" }, batch: true, hb: true,
  })
  assert.equal(server.heard.length, 1)
  assert.equal((await got.sub.ready).n, 2)
  assert.equal(line.conn, "c:1")
  assert.equal(line.uid, "7")
})

test("what is asked before it is open waits, and is answered once", async () => {
  const line = open()
  const answers = Promise.all([line.presence("room"), line.history("chat:1", { n: 5 })])
  server.publish("chat:1", "a")
  await clock.pass(100)
  const [presence, history] = await answers
  assert.deepEqual(presence.users, { 7: { name: "Ann" } })
  assert.deepEqual(history.messages.map(m => m.data), ["a"])
  const got = collect(line, "chat:1")
  await clock.pass(100)
  server.publish("chat:1", "b")
  await clock.pass(100)
  assert.deepEqual([...got], ["b"])
})

test("subscribers of a channel share it", async () => {
  const line = open()
  const a = collect(line, "chat:1")
  const b = collect(line, "chat:1")
  await clock.pass(100)
  server.publish("chat:1", 1)
  await clock.pass(100)
  a.sub.unsubscribe()
  a.sub.unsubscribe()
  server.publish("chat:1", 2)
  await clock.pass(100)
  assert.deepEqual([[...a], [...b]], [[1], [1, 2]])
  assert.equal(last("unsub"), undefined)
  b.sub.unsubscribe()
  await clock.pass(100)
  assert.equal(last("unsub").ch, "chat:1")
  server.publish("chat:1", 3)
  await clock.pass(100)
  assert.deepEqual([...b], [1, 2])
  assert.equal(b.sub.position, undefined)
})

test("who unsubscribes in a callback is not put back, nor asked for an answer", async () => {
  const line = open()
  const got = []
  const sub = line.subscribe("chat:1", data => {
    got.push(data)
    sub.unsubscribe()
  })
  await clock.pass(100)
  server.publish("chat:1", 1)
  server.publish("chat:1", 2)
  await clock.pass(100)
  assert.deepEqual(got, [1])
  assert.equal(sub.position, undefined)
  const other = line.subscribe("chat:2", () => {})
  await clock.pass(100)
  server.close()
  await clock.pass(10)
  other.unsubscribe()
  line.close()
  await clock.pass(100)
})

test("data is JSON, text or bytes, alone or in arrays", async () => {
  const line = open()
  const got = collect(line, "live")
  await clock.pass(100)
  server.everybody([
    { op: "msg", ch: "live", data: { a: null } }, { op: "msg", ch: "live", data: null },
    { op: "msg", ch: "live", text: "hello" }, { op: "later", ch: "live" }, { op: "toString" }, { op: "__proto__" },
    { op: "msg", ch: "live", b64: "AP8=" },
  ])
  await clock.pass(100)
  assert.deepEqual([...got], [{ a: null }, null, "hello", Uint8Array.of(0, 255)])
})

test("what was missed comes after a cut, and before anything newer", async () => {
  const line = open()
  const got = collect(line, "chat:1")
  await clock.pass(100)
  server.publish("chat:1", 1)
  await clock.pass(100)
  server.close()
  for (const n of [2, 3]) server.publish("chat:1", n)
  await clock.pass(20)
  server.publish("chat:1", 4)
  await clock.pass(1100)
  server.publish("chat:1", 5)
  await clock.pass(100)
  assert.deepEqual([...got], [1, 2, 3, 4, 5])
  assert.equal(last("hello").sub["chat:1"], "e1.1")
  assert.equal(named(line, "wait").length, 1)
  assert.equal(named(line, "gap").length, 0)
})

test("a gap is told, with its reason, and it goes on from there", async () => {
  server.size = 1
  const line = open()
  const gaps = []
  const got = collect(line, "chat:1", { onGap: f => gaps.push(f.gap) })
  await clock.pass(100)
  server.publish("chat:1", 1)
  await clock.pass(100)
  server.close()
  for (const n of [2, 3, 4]) server.publish("chat:1", n)
  await clock.pass(1100)
  server.publish("chat:1", 5)
  await clock.pass(100)
  server.everybody({ op: "gap", ch: "chat:1", gap: "epoch", pos: "e2.7" })
  server.everybody({ op: "msg", ch: "chat:1", pos: "e2.8", data: 6 })
  await clock.pass(100)
  assert.deepEqual([...got], [1, 5, 6])
  assert.deepEqual(gaps, ["expired", "epoch"])
  assert.deepEqual(named(line, "gap").map(f => f.ch), ["chat:1", "chat:1"])
})

test("a jump of positions is repaired, and a double is dropped", async () => {
  const line = open()
  const got = collect(line, "chat:1")
  await clock.pass(100)
  server.publish("chat:1", 1)
  server.log("chat:1").push(2) // which the connection is not told
  server.publish("chat:1", 3)
  server.publish("chat:1", 4)
  await clock.pass(100)
  server.everybody({ op: "msg", ch: "chat:1", pos: "e1.3", data: 3 })
  server.log("chat:1").push("not for this one")
  server.everybody({ op: "pos", ch: "chat:1", pos: "e1.5" })
  server.publish("chat:1", 6)
  await clock.pass(100)
  assert.deepEqual([...got], [1, 2, 3, 4, 6])
  assert.equal(server.heard.filter(f => f.op === "sub").length, 1)
})

test("positions are kept in a storage, after the callback has returned", async () => {
  const storage = memory()
  let line = open({ storage })
  const kept = []
  const sub = line.subscribe("chat:1", () => kept.push([...storage.items.values()].join()))
  line.subscribe("chat:2", () => {}).ready.then(() => {})
  await clock.pass(100)
  server.publish("chat:1", 1)
  server.publish("u:7", "mine")
  await clock.pass(100)
  assert.equal(kept.length, 1)
  assert(!kept[0].includes("e1.1"))
  assert([...storage.items.values()].join().includes('["chat:1","e1.1"]'))
  assert.deepEqual(named(line, "msg"), ["mine"])
  assert.equal(sub.position, "e1.1")
  line.close() // the page is loaded anew
  server.publish("chat:1", 2)
  server.publish("u:7", "missed")
  line = open({ storage })
  const got = collect(line, "chat:1", { since: "last:100" })
  await clock.pass(100)
  assert.deepEqual([...got], [2])
  assert.deepEqual(named(line, "msg"), ["missed"])
  assert.deepEqual(last("hello").sub, { "u:7": "e1.1", "chat:1": "e1.1" })
})

test("a channel that is refused is told, and not asked for again", async () => {
  const line = open()
  const { sub } = collect(line, "secret")
  const good = collect(line, "chat:1")
  await clock.pass(100)
  await assert.rejects(sub.ready, { code: 403, ch: "secret" })
  assert.deepEqual(named(line, "error").map(e => e.code), [403])
  server.close()
  await clock.pass(1100)
  assert(!("secret" in last("hello").sub))
  server.publish("chat:1", 1)
  await clock.pass(100)
  assert.deepEqual([...good], [1])
})

test("a channel that cannot be had now is asked for again", async () => {
  const line = open()
  await clock.pass(100)
  const subscribe = server.subscribe
  server.subscribe = (c, ch, since, id) => c.tell({ op: "err", id, ch, code: 503, msg: "later" })
  const got = collect(line, "chat:1", { since: "last:10" })
  server.publish("chat:1", 1)
  await clock.pass(100)
  server.subscribe = subscribe
  await clock.pass(3000)
  assert.deepEqual([...got], [1])
  assert.equal(named(line, "error").length, 0)
})

test("the server takes it out of a channel", async () => {
  const line = open()
  const got = collect(line, "chat:1")
  await clock.pass(100)
  server.everybody({ op: "unsub", ch: "chat:1", why: "auth" })
  server.publish("chat:1", 1)
  await clock.pass(100)
  assert.deepEqual([...got], [])
  assert.match(named(line, "error")[0].message, /auth/)
})

test("a group that a back end puts it into again goes on where it was", async () => {
  const line = open()
  await clock.pass(100)
  const join = () => {
    for (const c of server.connections) {
      c.channels.add("g:x")
      c.tell({ op: "sub", ch: "g:x", pos: server.top("g:x") })
    }
  }
  join()
  server.publish("g:x", 1)
  await clock.pass(100)
  server.close()
  server.publish("g:x", 2)
  await clock.pass(1100)
  server.publish("g:x", 3)
  join()
  await clock.pass(10)
  server.publish("g:x", 4)
  await clock.pass(100)
  assert.deepEqual(named(line, "msg"), [1, 2, 3, 4])
  assert.deepEqual(named(line, "error"), [])
})

test("who comes and goes is told", async () => {
  const line = open()
  const told = []
  line.subscribe("room", () => {}, {
    onJoin: f => told.push("+" + f.uid), onLeave: f => told.push("-" + f.uid),
    onUsers: f => told.push(f.more ? "more" : Object.keys(f.users).join()),
  })
  await clock.pass(100)
  server.everybody({ op: "join", ch: "room", uid: "8", n: 2 })
  server.everybody({ op: "leave", ch: "room", uid: "8", n: 1 })
  server.everybody({ op: "presence", ch: "room", n: 2, users: { 7: null, 8: {} } })
  server.everybody({ op: "presence", ch: "room", n: 1001, more: true })
  await clock.pass(100)
  assert.deepEqual(told, ["+8", "-8", "7,8", "more"])
})

test("an error in a callback disturbs nothing, and is not swallowed", async () => {
  const line = open()
  const got = []
  line.subscribe("chat:1", data => {
    got.push(data)
    if (data === 1) throw new Error("of the page")
  })
  await clock.pass(100)
  server.publish("chat:1", 1)
  server.publish("chat:1", 2)
  await assert.rejects(clock.pass(100), /of the page/)
  await clock.pass(100)
  assert.deepEqual(got, [1, 2])
})

test("close is for good, whatever it is doing", async () => {
  for (const time of [0, 7, 12, 100]) {
    const line = open({ token: async () => "ann" })
    const { sub } = collect(line, "chat:1")
    await clock.pass(time)
    const answer = line.history("chat:1")
    line.close()
    line.close()
    await assert.rejects(answer, /closed/)
    if (time < 100) await assert.rejects(sub.ready, /closed/)
    await assert.rejects(line.presence("x"), /closed/)
    server.heard = []
    await clock.pass(100000)
    assert.deepEqual(server.heard, [])
    assert.equal(server.connections.size, 0)
    assert.deepEqual(line.events.map(e => e[0]).filter(name => name !== "open"), ["close"])
  }
})
