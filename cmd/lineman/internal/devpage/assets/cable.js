// The links of users can be cut: lineman.js opens its WebSockets here. One that is cut is closed, and no other gets
// through until it is mended. So lineman.js comes back as it would anywhere.

const cables = new Map() // by the addresses of their WebSockets

globalThis.WebSocket = class extends globalThis.WebSocket {
  constructor(url, ...more) {
    if (cables.get(url)?.isCut) return nowhere()
    super(url, ...more)
    const cable = cables.get(url)
    if (cable) cable.socket = this
  }

  send(text) {
    cables.get(this.url)?.onSend(text)
    super.send(text)
  }
}

// nowhere is a WebSocket that does not get through.
function nowhere() {
  const socket = { close() {} }
  setTimeout(() => socket.onclose?.({ code: 1006, reason: "" }))
  return socket
}

// Cable is the link of one user, to an address of its own. onSend hears what the user sends.
export class Cable {
  isCut = false

  constructor(address, onSend) {
    this.onSend = onSend
    cables.set(new URL(address, location).href.replace(/^http/, "ws"), this)
  }

  cut() {
    this.isCut = true
    this.socket?.close()
  }

  mend() {
    this.isCut = false
    dispatchEvent(new Event("online")) // which has lineman.js try at once
  }
}
