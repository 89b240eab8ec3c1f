// What back ends hear of pages: the groups of listeners and the hooks, of all nodes or of one.

import { bytes, count, element, isThere, several, shownOf, table } from "/dashboard/figures.js"

const byId = id => document.getElementById(id)

// hearing shows those of the node that the overview shows.
export function hearing(r) {
  const nodes = several(r), of = shownOf(r), groups = of.groups ?? [], hooks = of.hooks ?? []
  const groupOf = h => groups.find(g => g.name === "hook:" + h.name) // what waits for it
  const listening = groups.filter(g => !hooks.some(h => g === groupOf(h)) && (g.name || g.waiting || g.dropped))
  byId("hearing-of").hidden = nodes.length === 0
  byId("hearing-of").textContent = of === r ? "Of all nodes." : `Of ${of.name}.`
  table(byId("groups"), ["group", "#listeners", "#waiting", "#pages held", "#dropped"], listening.map(g => [
    g.name || "(nobody wants it yet)", count(g.listeners), waits(g), count(g.held), count(g.dropped),
  ]), "No back end listens.")
  const away = h => nodes.filter(n => isThere(n) && n.hooks?.some(one => one.name === h.name && one.open))
  table(byId("hooks"), ["hook", "state", "#waiting", "#asked", "#requests", "#failed", "#lost"], hooks.map(h => [
    h.name, h.open ? stateOf(of === r ? away(h) : []) : element("span", "well", { class: "good" }),
    waits(groupOf(h)), count(h.asked), count(h.requests), count(h.failed),
    count(h.dead + (groupOf(h)?.dropped ?? 0)),
  ]), "No hook is set.")
}

// waits is what waits for a group; a hook that only decides has none.
const waits = g => g?.waiting ? `${count(g.waiting)}, ${bytes(g.bytes)}` : "0"

// stateOf is that of a hook that does not answer some nodes, or the only one.
function stateOf(nodes) {
  const where = nodes.length ? " on " + nodes.map(n => n.name).join(", ") : ""
  return element("span", `away${where}: left alone for a while`, { class: "bad" })
}
