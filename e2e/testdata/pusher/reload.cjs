// A page by pusher-js while the server is reloaded, which must not notice that:
//   node reload.cjs FOLDER HOST:PORT HOST:PORT DIRECTORY LINEMAN
// FOLDER has node_modules; the addresses are those of the port for pages, and of the HTTP API; `LINEMAN reload` is run
// in DIRECTORY.
const assert = require("node:assert")
const { execFileSync } = require("node:child_process")
const { createRequire } = require("node:module")
const [folder, pages, api, directory, lineman] = process.argv.slice(2)
const load = createRequire(folder + "/package.json")
const PusherJS = load("pusher-js")
const PusherServer = load("pusher")

const [host, port] = api.split(":")
const server = new PusherServer({ appId: "1001", key: "lineman-key", secret: "lineman-secret", host, port })
const page = new PusherJS("lineman-key", {
  cluster: "", wsHost: pages.split(":")[0], wsPort: +pages.split(":")[1], forceTLS: false, enabledTransports: ["ws"],
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, done) =>
      done(null, server.authorizeChannel(socketId, channelName, { user_id: "ann" })),
  },
  userAuthentication: {
    customHandler: ({ socketId }, done) => done(null, server.authenticateUser(socketId, { id: "ann" })),
  },
})
const got = []
page.connection.bind("state_change", ({ current }) => got.push(current))
const room = page.subscribe("presence-room")
room.bind_global((event, data) => got.push(`${event} ${data.id ?? data.count}`))
page.user.bind("told", data => got.push(`told ${data.id}`))
const subscribed = new Promise(done => room.bind("pusher:subscription_succeeded", done))

async function main() {
  await subscribed
  page.signin()
  await page.user.signinDonePromise
  const socket = page.connection.socket_id
  const want = [...got]
  for (let id = 1; id <= 3; id++) {
    execFileSync(lineman, ["reload"], { cwd: directory })
    await server.trigger("presence-room", "new", { id })
    await server.trigger("presence-room", "mine", { id }, { socket_id: socket })
    await server.sendToUser("ann", "told", { id })
    want.push(`new ${id}`, `told ${id}`)
  }
  await new Promise(done => setTimeout(done, 7000)) // who has not crossed would be gone by then
  assert.deepStrictEqual(got, want)
  assert.strictEqual(page.connection.socket_id, socket)
  assert.deepStrictEqual(await (await server.get({ path: "/channels/presence-room/users" })).json(),
    { users: [{ id: "ann" }] })
  console.log("all")
}

main().then(() => process.exit(0), error => { console.log(error); process.exit(1) })
