// Package pusher serves clients and back ends of the Pusher protocol (version 7) over a push.Hub: pusher-js, Laravel
// Echo and the HTTP libraries for back ends work unchanged. It opens no socket: a program gives a [Service] the texts
// that a page sends, and sends those that the Service gives it; it reads a request of the HTTP API by [Apps.CheckHead],
// and has it done by [Service.Do].
//
// An [App] has a name, a key and a secret. Its channel "orders" is the channel "ID:orders" of the Hub, so apps never
// hear each other, and connections of the Hub's other protocols hear the same channels.
package pusher
