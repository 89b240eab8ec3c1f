// pusher-js for pages and pusher for back ends, unchanged, against a server in dev mode:
//   node libraries.cjs FOLDER HOST:PORT HOST:PORT
// FOLDER has node_modules; the addresses are those of the port for pages, and of the HTTP API.
const assert = require("node:assert")
const { createRequire } = require("node:module")
const [folder, pages, api] = process.argv.slice(2)
const load = createRequire(folder + "/package.json")
const PusherJS = load("pusher-js")
const PusherServer = load("pusher")

const [key, secret] = ["lineman-key", "lineman-secret"]
const server = new PusherServer({ appId: "1001", key, secret, host: api.split(":")[0], port: api.split(":")[1] })

// within fails where something does not come.
const within = (what, promise) => Promise.race([
  promise, new Promise((_, fail) => setTimeout(() => fail(new Error(`${what} does not come`)), 15000).unref()),
])

// once is the next event of a name.
const once = (emitter, name) => within(name, new Promise(done => {
  const heard = data => { emitter.unbind(name, heard); done(data) }
  emitter.bind(name, heard)
}))

// page is a page of a user, whom the back end knows.
async function page(user) {
  const p = new PusherJS(key, {
    cluster: "", wsHost: pages.split(":")[0], wsPort: +pages.split(":")[1], forceTLS: false, enabledTransports: ["ws"],
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, done) => done(null, server.authorizeChannel(socketId, channelName,
        channelName.startsWith("presence-") ? { user_id: user, user_info: { name: user } } : undefined)),
    },
    userAuthentication: {
      customHandler: ({ socketId }, done) => done(null, server.authenticateUser(socketId, { id: user, watchlist: ["bob"] })),
    },
  })
  await once(p.connection, "connected")
  assert.match(p.connection.socket_id, /^\d+\.\d+$/)
  return p
}

// subscribed is a channel that a page has.
async function subscribed(p, name) {
  const channel = p.subscribe(name)
  const members = await once(channel, "pusher:subscription_succeeded")
  return Object.assign(channel, { told: members })
}

async function json(answer) { return (await answer).json() }

async function publicChannels(ann, bob) {
  const [a, b] = [await subscribed(ann, "orders"), await subscribed(bob, "orders")]
  const got = []
  a.bind("new", data => got.push(data))
  const heard = once(b, "new")
  await server.trigger("orders", "new", { id: 1 }, { socket_id: ann.connection.socket_id })
  assert.deepStrictEqual(await heard, { id: 1 })
  const last = once(a, "last")
  const info = await json(server.trigger(["orders", "other"], "last", "text", { info: "subscription_count" }))
  assert.strictEqual(await last, "text")
  assert.deepStrictEqual(info.channels, { orders: { subscription_count: 2 }, other: { subscription_count: 0 } })
  assert.deepStrictEqual(got, []) // who has caused it gets nothing
  const two = once(b, "two")
  await server.triggerBatch([{ channel: "other", name: "one", data: 1 }, { channel: "orders", name: "two", data: [2] }])
  assert.deepStrictEqual(await two, [2])
}

async function privateChannels(ann, bob) {
  const [a, b] = [await subscribed(ann, "private-room"), await subscribed(bob, "private-room")]
  const typing = once(b, "client-typing")
  a.trigger("client-typing", { on: true })
  assert.deepStrictEqual(await typing, { on: true })
  const liar = new PusherJS(key, {
    cluster: "", wsHost: pages.split(":")[0], wsPort: +pages.split(":")[1], forceTLS: false, enabledTransports: ["ws"],
    channelAuthorization: { customHandler: (_, done) => done(null, { auth: key + ":" + "0".repeat(64) }) },
  })
  const error = await once(liar.subscribe("private-room"), "pusher:subscription_error")
  assert.strictEqual(error.status, 401)
  liar.disconnect()
}

async function presenceChannels(ann, bob) {
  const a = await subscribed(ann, "presence-room")
  assert.strictEqual(a.members.count, 1)
  assert.deepStrictEqual(a.members.me, { id: "ann", info: { name: "ann" } })
  const added = once(a, "pusher:member_added")
  const b = await subscribed(bob, "presence-room")
  assert.deepStrictEqual(await added, { id: "bob", info: { name: "bob" } })
  assert.strictEqual(b.members.count, 2)
  const users = await json(server.get({ path: "/channels/presence-room/users" }))
  assert.deepStrictEqual(users, { users: [{ id: "ann" }, { id: "bob" }] })
  const all = await json(server.get({
    path: "/channels", params: { filter_by_prefix: "presence-", info: "user_count" },
  }))
  assert.deepStrictEqual(all, { channels: { "presence-room": { user_count: 2 } } })
  const from = new Promise(done => b.bind("client-hi", (data, meta) => done([data, meta.user_id])))
  a.trigger("client-hi", 7)
  assert.deepStrictEqual(await within("client-hi", from), [7, "ann"])
  const removed = once(a, "pusher:member_removed")
  bob.unsubscribe("presence-room")
  assert.deepStrictEqual(await removed, { id: "bob", info: { name: "bob" } })
}

async function cacheChannels(ann) {
  const c = ann.subscribe("cache-price")
  await once(c, "pusher:cache_miss")
  await server.trigger("cache-price", "price", { now: 7 })
  ann.unsubscribe("cache-price")
  assert.deepStrictEqual(await once(ann.subscribe("cache-price"), "price"), { now: 7 })
  const told = await json(server.get({ path: "/channels/cache-price", params: { info: "cache" } }))
  assert.strictEqual(told.occupied, true)
  assert.strictEqual(told.cache.data, '{"now":7}')
}

async function users(ann, bob) {
  const online = within("online", new Promise(done => ann.user.watchlist.bind("online", done)))
  ann.signin()
  await within("signin", ann.user.signinDonePromise)
  bob.signin()
  assert.deepStrictEqual((await online).user_ids, ["bob"])
  const hello = once(ann.user, "hello")
  await server.sendToUser("ann", "hello", { from: "bob" })
  assert.deepStrictEqual(await hello, { from: "bob" })
  const gone = within("the end", new Promise(done => ann.connection.bind("state_change",
    ({ current }) => current === "connected" || done(current))))
  await server.terminateUserConnections("ann")
  await gone
}

async function refusals() {
  const wrong = new PusherServer({ appId: "1001", key, secret: "wrong", host: api.split(":")[0], port: api.split(":")[1] })
  await assert.rejects(wrong.trigger("orders", "new", 1), error => {
    assert.strictEqual(error.status, 401)
    assert.doesNotMatch(error.body, /[0-9a-f]{64}/)
    return true
  })
  await assert.rejects(server.trigger("orders", "new", "x".repeat(10241)), error => error.status === 413)
}

async function main() {
  const [ann, bob] = [await page("ann"), await page("bob")]
  for (const part of [publicChannels, privateChannels, presenceChannels, cacheChannels, refusals, users]) {
    await part(ann, bob)
    console.log(part.name)
  }
  ann.disconnect()
  bob.disconnect()
  console.log("all")
}

main().then(() => process.exit(0), error => { console.log(error); process.exit(1) })
