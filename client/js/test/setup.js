import { afterEach, beforeEach } from "node:test"
import { Browser } from "./browser.js"
import { Clock, random } from "./clock.js"
import { Server } from "./server.js"

// The code under test is a build where the environment names one.
const module = await import(process.env.LINEMAN_JS || "../src/lineman.js")
const { connect } = module.connect ? module : globalThis.Lineman

export let clock
export let server
export let browser
let lines

// start makes a world anew, of which nothing but the seed is by chance.
export function start(seed = 1) {
  lines?.forEach(line => line.close())
  lines = []
  clock = new Clock()
  server = new Server()
  browser = new Browser()
  clock.install()
  server.install()
  browser.install()
  Math.random = random(seed)
}

beforeEach(() => start())
afterEach(() => {
  Clock.uninstall()
  Browser.uninstall()
})

// open is connect, which notes the events of the line.
export function open(options, url = "ws://push.example/") {
  const line = connect(url, options)
  line.events = []
  for (const name of ["open", "wait", "close", "error", "gap", "msg"]) {
    line.on(name, (...args) => line.events.push([name, ...args]))
  }
  lines.push(line)
  return line
}

// named are the events of a line with some name.
export const named = (line, name) => line.events.filter(e => e[0] === name).map(e => e[1])

// memory is a storage like sessionStorage.
export function memory() {
  const items = new Map()
  return { getItem: key => items.get(key) ?? null, setItem: (key, value) => items.set(key, String(value)), items }
}

// last is the last of the frames that clients have sent with this op.
export const last = op => server.heard.findLast(f => f.op === op)
