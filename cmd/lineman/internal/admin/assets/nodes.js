// The nodes, or the event loops of the only one, in a table.

import { bytes, count, element, isThere, rate, seconds, show, table, time } from "/dashboard/figures.js"

const states = {
  live: () => "live", leaving: () => "stops", away: () => "not reached from here",
  gone: node => "gone, last heard of at " + time(node.heard),
}

// nodes shows a row for each node.
export function nodes(into, r) {
  const cells = f => [count(f.connections.pages), rate(f.rates.published), rate(f.rates.delivered),
    bytes(f.rates.bytes_out), bytes(f.queued.bytes)]
  const more = f => [rate(f.rates.refused), f.lag.samples ? seconds(f.lag.p99) : "–"]
  if (r.loops) {
    return table(into, ["<event loop", "#connections", "#published / s", "#delivered / s", "#out / s", "#waits"],
      r.nodes.map(node => [node.name, ...cells(node.now)]), "No loop has answered yet.")
  }
  const rows = r.nodes.map(node => {
    const name = element("button", node.name, { type: "button", class: "link", title: "Show its figures" })
    name.onclick = () => {
      show(node.id)
      document.getElementById("overview").scrollIntoView()
    }
    const state = element("span", states[node.state](node), { class: isThere(node) ? "good" : "bad" })
    const told = isThere(node) ? [...cells(node.now), ...more(node.now)] : Array(7).fill("–")
    return [name, state, ...told]
  })
  rows.push([element("b", "all"), "", ...cells(r.all), ...more(r.all)])
  table(into, ["<node", "<state", "#connections", "#published / s", "#delivered / s", "#out / s", "#waits",
    "#refused / s", "#lag p99"], rows, "")
}
