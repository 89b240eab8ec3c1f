// What pages say: it is done once, or known to be in doubt.
import assert from "node:assert/strict"
import { test } from "node:test"
import { random } from "./clock.js"
import { browser, clock, open, server, start } from "./setup.js"

// outcome waits for a promise, and tells what came of it.
const outcome = promise => promise.then(value => ({ value }), ({ code, message }) => ({ code, message }))

// doubt is the outcome of what may have been done.
const doubt = { code: 504, message: "lineman: no answer: it may have been done" }

// said are the data of what was said by this op.
const said = op => server.said.filter(f => f.op === op).map(f => f.data)

for (const shared of [false, true]) {
  const how = shared ? ", over a connection of all tabs" : ""

  test("publish, say and rpc are answered" + how, async () => {
    if (shared) open({ shared })
    const line = open({ shared })
    const got = []
    line.subscribe("chat:1", data => got.push(data))
    const answers = Promise.all([
      line.publish("chat:1", { text: "hello" }), line.publish("live", null, { self: false }),
      line.say([1]), line.rpc("cart.add", { item: 3 }), line.rpc("cart.list"),
    ])
    await clock.pass(500)
    const [published, live, , added, listed] = await answers
    assert.deepEqual([published.pos, live.pos], ["e1.1", undefined])
    assert.deepEqual([added, listed], [["cart.add", { item: 3 }], ["cart.list", null]])
    assert.deepEqual(got, [{ text: "hello" }])
    assert.deepEqual(server.said.map(({ id, ...f }) => f), [
      { op: "pub", ch: "chat:1", data: { text: "hello" } }, { op: "pub", ch: "live", data: null, self: false },
      { op: "say", data: [1] }, { op: "rpc", method: "cart.add", data: { item: 3 } },
      { op: "rpc", method: "cart.list" },
    ])
  })

  test("what is said while the line is away waits for it" + how, async () => {
    const line = open({ shared })
    await clock.pass(100)
    server.close()
    server.reachable = false
    await clock.pass(100)
    const answers = Promise.all([line.say(1), line.publish("live", 2), line.rpc("three"), line.say(4)])
    await clock.pass(5000)
    assert.deepEqual(server.said, [])
    server.reachable = true
    await clock.pass(40000)
    await answers
    assert.deepEqual(server.said.map(f => f.op), ["say", "pub", "rpc", "say"])
    assert(server.said.every(f => !f.again))
  })

  test("what was under way when the connection ended is said again, or in doubt" + how, async () => {
    const line = open({ shared })
    await clock.pass(100)
    server.mute = true
    const answers = [line.say("a"), line.publish("live", "b"), line.rpc("c"), line.say("d")].map(outcome)
    await clock.pass(100)
    server.close()
    await clock.pass(8)
    assert.deepEqual(await Promise.all(answers.slice(1, 3)), [doubt, doubt])
    server.mute = false
    const late = line.say("e")
    await clock.pass(2000)
    assert.deepEqual(said("say"), ["a", "d", "a", "d", "e"])
    assert.deepEqual(server.said.filter(f => f.again).map(f => f.data), ["a", "d"])
    assert.equal(server.said.length, 7) // nothing else was done twice
    for (const answer of [answers[0], answers[3], outcome(late)]) assert.equal((await answer).value.op, "say")
  })

  test("what was refused is told, and not said again" + how, async () => {
    const line = open({ shared })
    await clock.pass(100)
    server.busy = 3
    const answers = [line.say(1), line.publish("live", 2), line.rpc("three"), line.say(4)].map(outcome)
    await clock.pass(100)
    const all = await Promise.all(answers)
    assert.deepEqual(all.map(f => f.code), [503, 503, 503, undefined])
    assert.match(all[0].message, /nobody has taken it/)
    server.close()
    await clock.pass(10000)
    assert.deepEqual(server.said.map(f => f.data), [4])
  })

  test("a call has the time that it is given" + how, async () => {
    const line = open({ shared })
    const early = outcome(line.rpc("early", 1, { timeout: 3 })) // there is no connection yet
    await clock.pass(100)
    assert.deepEqual(await early, doubt)
    server.mute = true
    const slow = outcome(line.rpc("slow", 1, { timeout: 3000 }))
    await clock.pass(2990)
    assert.equal(await Promise.race([slow, "none"]), "none")
    await clock.pass(10)
    assert.deepEqual(await slow, doubt)
    server.mute = false
    server.close()
    await clock.pass(2000)
    assert.deepEqual(server.said.map(f => f.method), ["slow"])
    const quick = outcome(line.rpc("quick", 1, { timeout: 3000 }))
    await clock.pass(5000)
    assert.deepEqual((await quick).value, ["quick", 1])
  })

  test("what was not answered when the line is closed is rejected" + how, async () => {
    const line = open({ shared })
    await clock.pass(100)
    server.mute = true
    const answers = [line.say(1), line.publish("live", 2), line.rpc("three")].map(outcome)
    await clock.pass(100)
    line.close()
    const after = outcome(line.say(4))
    assert.deepEqual((await Promise.all([...answers, after])).map(f => f.message), Array(4).fill("lineman: closed"))
  })
}

test("of a burst, what was not sent when the connection ended is sent by the next one", async () => {
  const line = open()
  await clock.pass(100)
  const answers = Array.from({ length: 40 }, (_, i) => outcome(line.publish("live", i)))
  await clock.pass(100)
  server.close()
  await clock.pass(20000)
  const doubts = (await Promise.all(answers)).filter(f => f.code === 504).length
  assert(doubts < 20, doubts + " are in doubt")
  assert(said("pub").length >= 40 - doubts)
  assert.deepEqual(said("pub"), [...new Set(said("pub"))].sort((a, b) => a - b))
})

test("a tab goes on saying when the one with the connection is closed", async () => {
  const host = open({ shared: true })
  const other = open({ shared: true })
  await clock.pass(100)
  server.mute = true
  const answers = [other.say(1), other.publish("live", 2)].map(outcome)
  await clock.pass(100)
  host.close()
  server.mute = false
  await clock.pass(2000)
  assert.equal((await answers[0]).value.op, "say")
  assert.deepEqual(await answers[1], doubt)
  assert.deepEqual(server.said.map(({ op, again }) => [op, again]), [
    ["say", undefined], ["pub", undefined], ["say", true],
  ])
})

test("over server-sent events nothing can be said", async () => {
  server.webSockets = false
  const line = open({ sse: "/sse" })
  const early = outcome(line.say(0))
  await clock.pass(20000)
  const answers = [line.say(1), line.publish("live", 2), line.rpc("three")].map(outcome)
  await clock.pass(100)
  for (const { code, message } of await Promise.all([early, ...answers])) {
    assert.deepEqual([code, message], [501, "lineman: no WebSocket"])
  }
  assert.deepEqual(server.said, [])
})

test("cuts at random: what is said is taken in order, and doubles are marked", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    start(seed)
    const chance = random(seed)
    const shared = seed % 2 > 0
    const lines = [open({ shared }), open({ shared })]
    const taken = lines.map(() => [])
    const published = []
    await clock.pass(100)
    const losses = chance() * 0.3
    server.lose = () => chance() < losses
    for (let i = 0; i < 100; i++) {
      const n = i % 2
      lines[n].say([n, i]).then(() => taken[n].push(i))
      lines[n].publish("live", i).then(() => published.push(i), () => {})
      if (chance() < 0.03) browser.fire("visibilitychange")
      await clock.pass(chance() * (chance() < 0.1 ? 3000 : 40))
    }
    server.lose = () => false
    await clock.pass(60000)
    for (const n of [0, 1]) {
      const all = server.said.filter(f => f.op === "say" && f.data[0] === n)
      const first = all.filter((f, i) => all.findIndex(g => g.data[1] === f.data[1]) === i)
      const want = Array.from({ length: 50 }, (_, i) => 2 * i + n)
      assert.deepEqual(first.map(f => f.data[1]), want, `seed ${seed}: heard`)
      assert.deepEqual(taken[n], want, `seed ${seed}: told`)
      assert(all.every(f => f.again || first.includes(f)), `seed ${seed}: a double that is not marked`)
    }
    const done = said("pub")
    assert.equal(done.length, new Set(done).size, `seed ${seed}: published twice`)
    assert(published.every(i => done.includes(i)), `seed ${seed}: told to be published, and it is not`)
  }
})
