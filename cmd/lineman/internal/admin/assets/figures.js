// What the server does, in tiles, plots and tables. Names come from pages: they are text, and never markup.

const byId = id => document.getElementById(id)

// element makes one with a text, and attributes by their names.
export function element(name, text, attributes = {}) {
  const made = document.createElement(name)
  if (text !== undefined) made.textContent = text
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

const whole = new Intl.NumberFormat("en")
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 })
const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 })

export const count = n => whole.format(n)
export const some = (n, what) => n === 1 ? "1 " + what : count(n) + " " + what + "s"
export const rate = n => n >= 10_000 ? short.format(n) : plain.format(n)

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  let at = 0
  for (; n >= 1000 && at < units.length - 1; at++) n /= 1024
  return plain.format(n) + "\u00a0" + units[at]
}

export function seconds(s) {
  if (s === 0) return "0"
  if (s < 0.001) return plain.format(s * 1e6) + " µs"
  return s < 1 ? plain.format(s * 1000) + " ms" : plain.format(s) + " s"
}

export const time = at => new Date(at).toLocaleTimeString("en-GB")
export const date = at => new Date(at).toLocaleString("sv-SE") // 2006-01-02 15:04:05, which nobody misreads

// table shows rows, of which each is a list of texts and elements. A column whose name begins with # has numbers, and
// one with < is not wrapped.
export function table(into, columns, rows, none) {
  if (rows.length === 0) {
    into.replaceChildren(element("p", none, { class: "none" }))
    return
  }
  const kind = name => name.startsWith("#") ? "number" : name.startsWith("<") ? "short" : "wide"
  const head = element("tr")
  for (const name of columns) {
    head.append(element("th", name.replace(/^[#<]/, ""), { scope: "col", class: kind(name) }))
  }
  const body = element("tbody")
  for (const row of rows) {
    const line = element("tr")
    row.forEach((cell, i) => {
      const made = element("td", undefined, { class: kind(columns[i]) })
      made.append(cell)
      line.append(made)
    })
    body.append(line)
  }
  const all = element("table"), box = element("div", undefined, { class: "scroll" })
  const top = element("thead")
  top.append(head)
  all.append(top, body)
  box.append(all)
  into.replaceChildren(box)
}

// The tiles: what each shows of the figures of now, and what it says below.
const tiles = [
  ["Connections", f => count(f.connections.pages),
    f => `${some(f.connections.uids, "uid")}, ${some(f.connections.channels, "channel")}, ` +
      `${some(f.connections.groups, "group")}`],
  ["Published / s", f => rate(f.rates.published), f => `${some(f.connections.back_ends, "back end")} connected`],
  ["Delivered / s", f => rate(f.rates.delivered), f => `${bytes(f.rates.bytes_out)}/s out`],
  ["Refused / s", f => rate(f.rates.refused), refusedBy],
  ["Lag p99", f => f.lag.samples ? seconds(f.lag.p99) : "–",
    f => f.lag.samples ? `half within ${seconds(f.lag.p50)}` : "nothing was published"],
  ["Waits for pages", f => bytes(f.queued.bytes), f => `${bytes(f.queued.most)} for the slowest`],
  ["History", f => bytes(f.history.bytes + f.history.journal),
    f => `${some(f.history.messages, "message")} in memory` + (f.history.failures ? ", THE JOURNAL FAILS" : "")],
  ["Logging in", f => count(f.connections.waiting), f => `${rate(f.rates.accepted)} connections / s come`],
]

function refusedBy(f) {
  const all = Object.entries(f.rates.refused_by ?? {}).sort((a, b) => b[1] - a[1])
  return all.length ? all.slice(0, 2).map(([name, n]) => `${name} ${rate(n)}`).join(", ") : "nothing"
}

// A point is what plots show of an interval. The server tells its numbers in this order.
const numbers = ["at", "seconds", "pages", "published", "delivered", "refused", "in", "out", "samples", "p50", "p99",
  "queued", "most"]

const pointOf = told => Object.fromEntries(numbers.map((name, i) => [name, told[i]]))

// pointNow is that of figures, at a time.
const pointNow = (f, at) => pointOf([at, f.seconds, f.connections.pages, f.rates.published, f.rates.delivered,
  f.rates.refused, f.rates.bytes_in, f.rates.bytes_out, f.lag.samples, f.lag.p50, f.lag.p99, f.queued.bytes,
  f.queued.most])

// The plots: a name, and one or two lines, each with its name and its value.
const plots = [
  ["Connections", count, [["pages", p => p.pages]]],
  ["Messages / s", rate, [["delivered", p => p.delivered], ["published", p => p.published]]],
  ["Bytes / s", bytes, [["out", p => p.out], ["in", p => p.in]]],
  ["Lag of publications", seconds, [["p99", p => p.samples ? p.p99 : null], ["p50", p => p.samples ? p.p50 : null]]],
  ["Refused / s", rate, [["all reasons", p => p.refused]]],
  ["Waits for pages", bytes, [["all pages", p => p.queued], ["the slowest", p => p.most]]],
]

const spans = { seconds: 5 * 60, ten_seconds: 60 * 60 } // seconds that a plot shows

const shown = {
  series: new Map(), // by the ID of a node, and that of all by ""
  node: "", // whose figures are shown; empty: those of all
  range: "seconds", plots: [], tiles: [],
  chosen: () => {}, // is told when another node is shown
}

// seriesOf are the points of a node.
function seriesOf(id) {
  if (!shown.series.has(id)) shown.series.set(id, { seconds: [], ten_seconds: [], told: 0 })
  return shown.series.get(id)
}

const points = () => seriesOf(shown.node)[shown.range]

const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

// draw makes the plots anew: at the start, and when light becomes dark.
function draw() {
  for (const plot of shown.plots) plot.destroy()
  shown.plots = plots.map(([, format, lines], i) => {
    const area = byId("plots").children[i].querySelector(".area")
    const axis = { stroke: color("--soft"), grid: { stroke: color("--grid"), width: 1 }, ticks: { show: false } }
    return new uPlot({
      width: area.clientWidth, height: 170, legend: { show: false }, cursor: { y: false, drag: { x: false } },
      padding: [8, 20, 0, 0],
      scales: {
        x: { range: () => [Date.now() / 1000 - spans[shown.range], Date.now() / 1000] },
        y: { range: (_, least, most) => [0, most > 0 ? most * 1.15 : 1] },
      },
      axes: [
        {
          ...axis, size: 30, space: 70, incrs: [60, 120, 300, 600, 900, 1800],
          values: (_, all) => all.map(at => time(at * 1000).slice(0, 5)),
        },
        { ...axis, size: 70, space: 34, values: (_, all) => all.map(format), ...steps(format) },
      ],
      series: [{}, ...lines.map(([name], n) => ({
        label: name, stroke: color(n ? "--two" : "--one"), width: 1.5, spanGaps: false,
        points: { size: 4, filter: lonely },
      }))],
      hooks: { setCursor: [plot => point(i, plot.cursor.idx)] },
    }, dataOf(lines), area)
  })
}

// lonely are the points that no line leads to.
const lonely = (plot, line) => {
  const all = plot.data[line], missing = i => all[i] === undefined || all[i] === null
  return all.keys().filter(i => !missing(i) && missing(i - 1) && missing(i + 1)).toArray()
}

// steps are round ones for bytes, and of whole things.
const steps = format => format === bytes ? { incrs: Array.from({ length: 50 }, (_, i) => 2 ** i) }
  : format === count ? { incrs: Array.from({ length: 30 }, (_, i) => 10 ** Math.floor(i / 3) * [1, 2, 5][i % 3]) } : {}

const dataOf = lines => {
  const all = points()
  return [all.map(p => p.at / 1000), ...lines.map(([, value]) => all.map(value))]
}

// point says in words what the pointer is at, or what is now.
function point(i, at) {
  const all = points(), f = all[at ?? all.length - 1]
  const [, format, lines] = plots[i]
  const labels = byId("plots").children[i].querySelectorAll("span")
  lines.forEach(([name, value], n) => {
    const v = f && value(f)
    labels[n].textContent = name + ": " + (v === undefined || v === null ? "–" : format(v)) +
      (at === undefined || at === null || !f || n ? "" : " at " + time(f.at))
  })
}

function refresh() {
  shown.plots.forEach((plot, i) => {
    plot.setData(dataOf(plots[i][2]))
    point(i, plot.cursor.idx)
  })
}

// build makes what is there once. chosen is called when another node is to be shown.
export function build(chosen) {
  shown.chosen = chosen
  shown.tiles = tiles.map(([name]) => {
    const tile = element("div", undefined, { class: "tile card" })
    const value = element("div", "–", { class: "value" }), more = element("div", "", { class: "more" })
    tile.append(element("div", name, { class: "name" }), value, more)
    byId("tiles").append(tile)
    return { value, more }
  })
  for (const [name, , lines] of plots) {
    const plot = element("div", undefined, { class: "plot card" }), title = element("h3")
    title.append(element("b", name))
    lines.forEach(([line], n) => title.append(element("span", line, { class: n ? "two" : "one" })))
    plot.append(title, element("div", undefined, { class: "area" }))
    byId("plots").append(plot)
  }
  draw()
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw)
  new ResizeObserver(() => shown.plots.forEach((plot, i) => {
    plot.setSize({ width: byId("plots").children[i].querySelector(".area").clientWidth, height: 170 })
  })).observe(byId("plots"))
  byId("node").onchange = () => show(byId("node").value)
  for (const button of document.querySelectorAll("[data-range]")) {
    button.onclick = () => {
      shown.range = button.dataset.range
      for (const other of document.querySelectorAll("[data-range]")) {
        other.setAttribute("aria-pressed", String(other === button))
      }
      refresh()
    }
  }
}

// past takes what is kept of the last hour.
export function past(all) {
  shown.series.clear()
  for (const [id, series] of Object.entries(all)) {
    const of = seriesOf(id)
    of.seconds = (series.seconds ?? []).map(pointOf)
    of.ten_seconds = (series.ten_seconds ?? []).map(pointOf)
  }
  refresh()
}

// ofTen is one point in place of ten: means of what happened, and the most of what there was.
function ofTen(all) {
  const ten = { ...all.at(-1) }
  for (const name of ["published", "delivered", "refused", "in", "out"]) {
    ten[name] = all.reduce((sum, p) => sum + p[name], 0) / all.length
  }
  for (const name of ["pages", "samples", "p50", "p99", "queued", "most"]) {
    ten[name] = Math.max(...all.map(p => p[name]))
  }
  return ten
}

// add takes what a node did in a second, once.
function add(id, f, at) {
  const of = seriesOf(id), { seconds, ten_seconds } = of
  if (of.told === f.at || seconds.at(-1)?.at >= at) return
  of.told = f.at
  seconds.push(pointNow(f, at))
  if (!ten_seconds.length || at - ten_seconds.at(-1).at >= 9_500) ten_seconds.push(ofTen(seconds.slice(-10)))
  if (seconds.length > 320) seconds.splice(0, seconds.length - 300)
  if (ten_seconds.length > 380) ten_seconds.splice(0, ten_seconds.length - 360)
}

// several are the nodes of a report; none, if there are no others.
export const several = r => !r.loops && r.nodes.length > 1 ? r.nodes : []

// isThere reports whether a node counts.
export const isThere = node => node.state === "live" || node.state === "leaving"

// shownOf is the node of a report that is shown, or the report itself, if it is about all.
export const shownOf = r => several(r).find(node => node.id === shown.node) ?? r

// now takes the figures of a second: of all, and of each node.
export function now(r) {
  const nodes = several(r)
  add("", r.all, r.now.at)
  for (const node of nodes) if (isThere(node)) add(node.id, node.now, r.now.at)
  for (const id of shown.series.keys()) if (id && !nodes.some(node => node.id === id)) shown.series.delete(id)
  choice(nodes)
  const of = shownOf(r), f = of === r ? r.all : of.now
  tiles.forEach(([, value, more], i) => {
    shown.tiles[i].value.textContent = value(f)
    shown.tiles[i].more.textContent = more(f)
  })
  refresh()
}

// choice offers the nodes whose figures can be shown.
function choice(nodes) {
  const box = byId("node"), all = [["", "All nodes"], ...nodes.map(node => [node.id, nameOf(node)])]
  byId("of").hidden = nodes.length === 0
  if (!nodes.some(node => node.id === shown.node)) shown.node = ""
  if (JSON.stringify(all) !== box.dataset.all) { // else an open list would close
    box.dataset.all = JSON.stringify(all)
    box.replaceChildren(...all.map(([id, name]) => element("option", name, { value: id })))
  }
  box.value = shown.node
}

// nameOf is how a node is called, and that it is not there.
const nameOf = node => node.name + (node.state === "live" ? "" : `, ${node.state}`)

// show has the figures of a node be shown; of all, if it is empty.
export function show(id) {
  shown.node = id
  byId("node").value = id
  shown.chosen()
}
