// pusher-js, unchanged, on three nodes of an app with subscription_count:
//   node count.cjs FOLDER DIRECTORY LINEMAN HOST:PORT HOST:PORT HOST:PORT
// FOLDER has node_modules; DIRECTORY is that of the first node, LINEMAN the program that reloads it.
const assert = require("node:assert")
const { execFileSync } = require("node:child_process")
const { createRequire } = require("node:module")
const [folder, directory, lineman, ...nodes] = process.argv.slice(2)
const PusherJS = createRequire(folder + "/package.json")("pusher-js")

// subscribed is a channel of a page of some node, with the numbers that it was told.
async function subscribed(node) {
  const p = new PusherJS("shop-key", {
    cluster: "", wsHost: node.split(":")[0], wsPort: +node.split(":")[1], forceTLS: false, enabledTransports: ["ws"],
  })
  const channel = p.subscribe("orders"), told = []
  channel.bind("pusher:subscription_count", ({ subscription_count: n }) => {
    assert.strictEqual(channel.subscriptionCount, n)
    told.push(n)
  })
  await new Promise(done => channel.bind("pusher:subscription_succeeded", done))
  return { page: p, told }
}

// tells waits until a page was told a number last.
async function tells(one, n) {
  const end = Date.now() + 30000
  while (one.told.at(-1) !== n) {
    assert.ok(Date.now() < end, `${n} is not told, but ${one.told}`)
    await new Promise(done => setTimeout(done, 20))
  }
}

async function main() {
  const all = []
  for (const node of nodes) all.push(await subscribed(node))
  for (const one of all) await tells(one, 3)
  const before = all.map(one => one.told.length)
  execFileSync(lineman, ["reload"], { cwd: directory })
  const fourth = await subscribed(nodes[0])
  for (const one of [...all, fourth]) await tells(one, 4)
  assert.deepStrictEqual(all.map(one => one.told.length), before.map(n => n + 1)) // the reload told nobody anything
  fourth.page.disconnect()
  all[2].page.disconnect()
  for (const one of all.slice(0, 2)) await tells(one, 2)
  console.log("all")
}

main().then(() => process.exit(0), error => { console.log(error); process.exit(1) })
