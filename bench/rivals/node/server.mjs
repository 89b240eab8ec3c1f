// Node with its own net and http, and with the package ws.
//
//	node server.mjs PROTO PORT [CERT KEY]
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { WebSocketServer } from 'ws'

const [proto, port, cert, key] = process.argv.slice(2)
const listening = { host: '127.0.0.1', port: Number(port), backlog: 4096 }

function greet(_, response) {
	response.setHeader('Content-Type', 'text/plain; charset=utf-8')
	response.end('Hello, World!')
}

// echoLines writes what it has of whole lines at once.
function echoLines(socket) {
	let rest = Buffer.alloc(0)
	socket.on('data', data => {
		const all = rest.length > 0 ? Buffer.concat([rest, data]) : data
		const end = all.lastIndexOf(10) + 1
		rest = all.subarray(end)
		if (end > 0) socket.write(all.subarray(0, end))
	})
}

function serveSockets(server, perMessageDeflate, receive) {
	const sockets = new WebSocketServer({ server, perMessageDeflate, maxPayload: 16 << 20 })
	sockets.on('connection', socket => {
		socket.on('message', (data, isBinary) => receive(sockets, socket, data, isBinary))
		socket.on('error', () => {}) // of a peer that has gone
	})
	server.listen(listening)
}

const echo = (_, socket, data, binary) => socket.send(data, { binary })

function toAll(sockets, _, data, binary) {
	for (const socket of sockets.clients) socket.send(data, { binary })
}

function serveBytes(attend) {
	net.createServer({ noDelay: true }, socket => {
		socket.on('error', () => {})
		attend(socket)
	}).listen(listening)
}

const secure = () => ({ cert: readFileSync(cert), key: readFileSync(key) })
const alive = server => Object.assign(server, { keepAliveTimeout: 0, requestTimeout: 0 })
const serve = {
	tcp: () => serveBytes(socket => socket.on('data', data => socket.write(data))),
	text: () => serveBytes(echoLines),
	http: () => alive(http.createServer(greet)).listen(listening),
	https: () => alive(https.createServer(secure(), greet)).listen(listening),
	ws: () => serveSockets(http.createServer(), false, echo),
	wss: () => serveSockets(https.createServer(secure()), false, echo),
	wsz: () => serveSockets(http.createServer(), { threshold: 0 }, echo),
	wsbc: () => serveSockets(http.createServer(), false, toAll),
}
serve[proto]()
