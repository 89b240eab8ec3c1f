// Package client is a client of the push server, of level 1: it misses nothing silently. What a subscription gets comes
// once and in order, also over reconnects, or it is told that something was missed.
//
//	c, err := client.Dial(ctx, "wss://push.example.com/", client.Options{Token: token})
//	…
//	sub, err := c.Subscribe(ctx, "chat:42", push.Since{}, client.Handler{
//		Message: func(m level1.Message) { show(m.Data) },
//		Gap:     func(level1.Missed) { load() },
//	})
//
// A Client connects again by itself, after the delays that the server asks for, until it is closed or the server ends
// it for good. One goroutine reads, answers pings, and hands on what has come. Another one calls the handlers, one call
// at a time:
//
//	server ──▶ read ──▶ queue, bounded ──▶ Handler.Message, Gap, …  ──▶ Subscription.Position goes on
//	                                       Options.Up, Down
//
// What a Client says is Publish, to a channel, and Say and RPC, to the back end. Say is the one of them that is said
// again until it was heard: the others must not be done twice.
//
// A handler that is slow fills the queue. Then nothing more is read, and the server waits, up to its limit; if that
// cuts the connection, what is missing comes again after a reconnect. A handler may call every method. While it waits
// for an answer of the server, more is read than otherwise.
package client
