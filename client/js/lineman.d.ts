// Types of lineman.js. docs/javascript.md of Lineman explains it, docs/protocol.md what is said on the line.

/** Opens a line to a server. It connects at once, and comes back by itself until it is closed. */
export function connect(url: string | URL, options?: Options): Line

export interface Options {
  /**
   * The token, or a function that returns one, or a promise of one. It is called before each connection, and when the
   * token expires. Without it the server knows the page by a cookie.
   */
  token?: string | (() => string | Promise<string>)

  /** Where positions are kept beside memory, such as sessionStorage: then a page that is loaded anew misses nothing. */
  storage?: Pick<Storage, "getItem" | "setItem">

  /** The address of server-sent events, such as "/sse", for networks that WebSockets do not get through. */
  sse?: string | URL

  /** Whether all tabs with the same address share one connection. Default: false. */
  shared?: boolean
}

export interface Line {
  /** The name of the connection, c:…, while it is open. It is another one after each reconnect. */
  readonly conn?: string | null

  /** Whose connection it is, once it was open. */
  readonly uid?: string

  /** Subscribes to a channel. Several subscriptions to one share it: the later ones begin from now on. */
  subscribe<T = any>(channel: string, onMessage: OnMessage<T>, options?: SubscribeOptions): Subscription

  /** Reads what is kept of a channel that is subscribed to: what came after since, or the last n. */
  history<T = any>(channel: string, options?: { since?: string; n?: number }): Promise<History<T>>

  /** Asks who is in a channel that is subscribed to. */
  presence(channel: string): Promise<Presence>

  /**
   * Publishes to a channel, where its namespace lets pages do so. What may have been published when the connection ended
   * is rejected with the code 504, and not published again.
   */
  publish(channel: string, data: any, options?: PublishOptions): Promise<Published>

  /**
   * Says something to the back ends that listen, and is resolved when they have it. What was not answered when the
   * connection ended is said again, in order, and marked for them.
   */
  say(data: any): Promise<unknown>

  /**
   * Asks the back end, and is resolved with its answer. What may have been asked when the connection ended is rejected
   * with the code 504, and not asked again.
   */
  rpc<T = any>(method: string, data?: any, options?: CallOptions): Promise<T>

  /** Calls f at each event of this name. What it returns ends that. */
  on(event: "open", f: (welcome: Welcome) => void): () => void
  on(event: "wait", f: (why: Waiting) => void): () => void
  on(event: "close", f: (why: Closed) => void): () => void
  on(event: "gap", f: (gap: Gap) => void): () => void
  on(event: "error", f: (error: LineError) => void): () => void
  /** What is for the uid, a group, the connection or everybody, and is not subscribed to by name. */
  on<T = any>(event: "msg", f: OnMessage<T>): () => void

  /** Ends the line for good. What was asked and not answered is rejected. */
  close(): void
}

/** data is JSON as it was published, or a string where it is other text, or a Uint8Array where it is no text. */
export type OnMessage<T> = (data: T, message: Message<T>) => void

export interface Message<T = any> {
  /** The target: a channel, u:UID, g:GROUP, c:CONNECTION or *. */
  ch: string
  /** Missing where no history is kept. */
  pos?: string
  data: T
}

export interface SubscribeOptions {
  /** Where to begin if no position is stored: a position, or "last:N". Default: from now on. */
  since?: string
  /** Something was missed that cannot be had any more: load the state. */
  onGap?: (gap: Gap) => void
  /** It is subscribed, at first and after each reconnect. */
  onSub?: (answer: Subscribed) => void
  /** A uid has come, or has gone, where the namespace of the channel asks for that. */
  onJoin?: (who: { ch: string; uid: string; info?: any; n: number }) => void
  onLeave?: (who: { ch: string; uid: string; n: number }) => void
  /** Who is there, in place of what is known: asked for by presence, or told by the server, as it had to miss some. */
  onUsers?: (who: Presence & { ch: string }) => void
}

export interface Subscription {
  /** The server's first answer. Rejected with a LineError if the channel is refused, or the line is closed before. */
  readonly ready: Promise<Subscribed>
  /** That of the last message whose callback has returned. */
  readonly position?: string
  unsubscribe(): void
}

export interface Subscribed {
  ch: string
  pos?: string
  /** How many messages follow that were missed. */
  n?: number
  gap?: GapReason
}

export type GapReason = "expired" | "epoch" | "ahead" | "limit" | "off"

export interface Gap {
  ch: string
  gap: GapReason
  pos?: string
}

export interface History<T = any> {
  messages: { pos: string; at: string; data: T }[]
  /** The newest position of the channel. */
  pos?: string
  /** There is more after the last message. */
  more?: boolean
  gap?: GapReason
}

export interface PublishOptions {
  /** false: this connection does not get it, and so no tab that shares it. Default: true. */
  self?: boolean
}

export interface Published {
  ch: string
  /** Missing where no history is kept. */
  pos?: string
}

export interface CallOptions {
  /** Milliseconds after which it is rejected with the code 504. Default, and 0: as long as the server waits. */
  timeout?: number
}

export interface Presence {
  n: number
  /** Each uid with what is known of it. Missing where only counts are told. */
  users?: Record<string, any>
  more?: boolean
}

export interface Welcome {
  conn: string
  uid: string
  /** When the token expires, in seconds since 1970. */
  exp?: number
}

export interface Waiting {
  /** The close code, 1006 if there was none. */
  code: number
  why?: string
  /** Milliseconds until the next attempt. */
  delay: number
}

export interface Closed {
  /** A code of 40xx, or 1000 after close(). */
  code: number
  why?: string
}

export interface LineError extends Error {
  /**
   * 400 wrong, 401 token, 403 not allowed, 404 no history, 413 too much, 429 too often, 500 the back end has failed,
   * 501 needs a WebSocket, 503 not now, 504 no answer, so it may have been done; of rpc, also what the back end says.
   */
  code?: number
  ch?: string
}
