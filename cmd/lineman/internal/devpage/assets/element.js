export const byId = id => document.getElementById(id)

// element makes one with attributes, callbacks, and what is in it. Texts are text, and never markup.
export function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made[key] = value
    else made.setAttribute(key, value)
  }
  made.append(...inside)
  return made
}
