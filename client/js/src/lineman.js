import { line } from "./line.js"

// connect opens a line to the server at an address, which may be relative to the page: "/" where the page comes from
// the server itself, or through the same proxy. lineman.d.ts has the options.
export const connect = (url, options = {}) =>
  line(new URL(url, globalThis.location).href.replace(/^http/, "ws"), options)
