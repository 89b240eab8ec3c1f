// floor is about the least that a program has to do to serve: one thread, one epoll set, one recv for what is ready and
// one send for what it answers; no limit, no check, no time, and nothing for an idle connection but a few words.
//
//	floor PROTO PORT
//
// PROTO is tcp, text, http, ws, wsbc (each message to all connections, at once) or wsgather (to all connections, those
// of one round of the loop by one send for each).
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 1 << 20, BUFFER = 256 << 10, LARGE = 64 << 10 };

// bytes grow as needed.
struct bytes {
	uint8_t *at;
	size_t len, cap;
};

struct conn {
	struct bytes in;  // of a request that is not whole
	struct bytes out; // that the kernel has not taken
	size_t want;      // how many bytes of in make it whole, as far as is known
	int upgraded;
	int place; // in listeners
};

static struct conn *conns[MOST_DESCRIPTORS];
static int listeners[MOST_DESCRIPTORS]; // who gets what is for all
static int listening;
static int epoll;
static int to_all, gathers;
static uint8_t buffer[BUFFER];
static struct bytes answer;   // of the connection that is being read
static struct bytes gathered; // of this round, for all
static size_t (*handle)(int fd, uint8_t *data, size_t len);

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static void room(struct bytes *b, size_t more) {
	if (b->len + more <= b->cap)
		return;
	b->cap = (b->len + more) * 2;
	if (!(b->at = realloc(b->at, b->cap)))
		fail("floor: memory");
}

static void add(struct bytes *b, const void *data, size_t len) {
	room(b, len);
	memcpy(b->at + b->len, data, len);
	b->len += len;
}

static void release(struct bytes *b) {
	free(b->at);
	*b = (struct bytes){0};
}

static void watch(int fd, int how, uint32_t events) {
	struct epoll_event e = {.events = events, .data.fd = fd};
	if (epoll_ctl(epoll, how, fd, &e) < 0)
		fail("floor: epoll_ctl");
}

static void end(int fd) {
	struct conn *c = conns[fd];
	if (c->upgraded) {
		int last = listeners[--listening];
		listeners[c->place] = last;
		conns[last]->place = c->place;
	}
	release(&c->in);
	release(&c->out);
	free(c);
	conns[fd] = NULL;
	close(fd);
}

// transmit sends what the kernel takes, and keeps the rest. Reading sees that a peer has gone.
static void transmit(int fd, const uint8_t *data, size_t len) {
	struct conn *c = conns[fd];
	ssize_t n = 0;
	if (c->out.len == 0 && (n = send(fd, data, len, MSG_NOSIGNAL)) < 0)
		n = 0;
	if ((size_t)n == len)
		return;
	if (c->out.len == 0)
		watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	add(&c->out, data + n, len - n);
}

static void transmit_more(int fd) {
	struct bytes *out = &conns[fd]->out;
	ssize_t n = send(fd, out->at, out->len, MSG_NOSIGNAL);
	if (n <= 0)
		return;
	memmove(out->at, out->at + n, out->len -= n);
	if (out->len == 0) {
		release(out);
		watch(fd, EPOLL_CTL_MOD, EPOLLIN);
	}
}

static void flush(int fd) {
	if (answer.len > 0)
		transmit(fd, answer.at, answer.len);
	answer.len = 0;
}

// reply answers the connection that is being read. What is large is not copied.
static void reply(int fd, const uint8_t *data, size_t len) {
	if (len < LARGE) {
		add(&answer, data, len);
		return;
	}
	flush(fd);
	transmit(fd, data, len);
}

static size_t echo_bytes(int fd, uint8_t *data, size_t len) {
	reply(fd, data, len);
	return len;
}

static size_t echo_lines(int fd, uint8_t *data, size_t len) {
	uint8_t *last = memrchr(data, '\n', len);
	if (!last)
		return 0;
	reply(fd, data, last + 1 - data);
	return last + 1 - data;
}

static size_t say_hello(int fd, uint8_t *data, size_t len) {
	static const char hello[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\n\r\nHello, World!";
	uint8_t *at = data, *end;
	while ((end = memmem(at, data + len - at, "\r\n\r\n", 4))) {
		reply(fd, (const uint8_t *)hello, sizeof hello - 1);
		at = end + 4;
	}
	return at - data;
}

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

// sha1 is that of 60 bytes (FIPS 180-4), which is all that a handshake needs.
static void sha1(const uint8_t *text, uint8_t sum[20]) {
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint8_t padded[128] = {0};
	memcpy(padded, text, 60);
	padded[60] = 0x80;
	padded[126] = 60 * 8 >> 8;
	padded[127] = 60 * 8 & 0xff;
	for (int block = 0; block < 128; block += 64) {
		uint32_t w[80], v[5];
		for (int i = 0; i < 16; i++) {
			const uint8_t *p = padded + block + 4 * i;
			w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
		}
		for (int i = 16; i < 80; i++)
			w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		memcpy(v, h, sizeof v);
		for (int i = 0; i < 80; i++) {
			uint32_t f = i < 20   ? (v[1] & v[2]) | (~v[1] & v[3])
				: i < 40 || i >= 60 ? v[1] ^ v[2] ^ v[3]
									: (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]);
			uint32_t next = rotate(v[0], 5) + f + v[4] + k[i / 20] + w[i];
			v[4] = v[3], v[3] = v[2], v[2] = rotate(v[1], 30), v[1] = v[0], v[0] = next;
		}
		for (int i = 0; i < 5; i++)
			h[i] += v[i];
	}
	for (int i = 0; i < 20; i++)
		sum[i] = h[i / 4] >> (24 - i % 4 * 8);
}

static void base64(const uint8_t sum[20], char text[29]) {
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t padded[21] = {0};
	memcpy(padded, sum, 20);
	for (int i = 0; i < 28; i++) {
		const uint8_t *p = padded + i / 4 * 3;
		uint32_t three = p[0] << 16 | p[1] << 8 | p[2];
		text[i] = digits[three >> (18 - i % 4 * 6) & 63];
	}
	text[27] = '=';
	text[28] = 0;
}

// upgrade answers a handshake (RFC 6455, 4.2.2) and returns its length, 0 if it is not whole.
static size_t upgrade(int fd, const uint8_t *data, size_t len) {
	static const char field[] = "Sec-WebSocket-Key: ", guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t *end = memmem(data, len, "\r\n\r\n", 4), text[60], sum[20];
	if (!end)
		return 0;
	uint8_t *key = memmem(data, end - data, field, sizeof field - 1);
	if (key) {
		memcpy(text, key + sizeof field - 1, 24);
		memcpy(text + 24, guid, 36);
		sha1(text, sum);
	}
	char accepted[29], head[256];
	base64(sum, accepted);
	int n = snprintf(head, sizeof head,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
		"%s\r\n\r\n", accepted);
	reply(fd, (uint8_t *)head, n);
	conns[fd]->upgraded = 1;
	conns[fd]->place = listening;
	listeners[listening++] = fd;
	return end + 4 - data;
}

static void unmask(uint8_t *payload, size_t len, const uint8_t mask[4]) {
	uint64_t wide, eight;
	memcpy(&wide, mask, 4);
	memcpy((uint8_t *)&wide + 4, mask, 4);
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		memcpy(&eight, payload + i, 8);
		eight ^= wide;
		memcpy(payload + i, &eight, 8);
	}
	for (; i < len; i++)
		payload[i] ^= mask[i & 3];
}

// deliver sends a whole frame where it belongs.
static void deliver(int fd, const uint8_t *frame, size_t len) {
	if (gathers)
		add(&gathered, frame, len);
	else if (to_all)
		for (int i = 0; i < listening; i++)
			transmit(listeners[i], frame, len);
	else
		reply(fd, frame, len);
}

// frame takes a frame (RFC 6455, 5.2) and returns its length, 0 if it is not whole. The server's frame is made in its
// place: it is the same without the mask, which stands between the head and the payload.
static size_t frame(int fd, uint8_t *data, size_t len) {
	if (len < 2)
		return 0;
	size_t head = 2, size = data[1] & 0x7f;
	head += size == 127 ? 8 : size == 126 ? 2 : 0;
	if (len < head + 4)
		return 0;
	if (head > 2) {
		size = 0;
		for (size_t i = 2; i < head; i++)
			size = size << 8 | data[i];
	}
	size_t whole = head + 4 + size;
	if (len < whole) {
		conns[fd]->want = whole;
		return 0;
	}
	uint8_t mask[4];
	memcpy(mask, data + head, 4);
	unmask(data + head + 4, size, mask);
	memmove(data + 4, data, head);
	data[5] &= 0x7f;
	deliver(fd, data + 4, head + size);
	return whole;
}

static size_t web_socket(int fd, uint8_t *data, size_t len) {
	size_t used = 0, n;
	if (!conns[fd]->upgraded && !(used = upgrade(fd, data, len)))
		return 0;
	while ((n = frame(fd, data + used, len - used)))
		used += n;
	return used;
}

static void receive(int fd) {
	struct conn *c = conns[fd];
	uint8_t *to = buffer;
	size_t most = sizeof buffer, kept = c->in.len;
	if (kept > 0) { // more of the same, where it waits
		room(&c->in, c->want > kept ? c->want - kept : BUFFER);
		to = c->in.at + kept;
		most = c->in.cap - kept;
	}
	ssize_t n = recv(fd, to, most, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(fd);
		return;
	}
	uint8_t *data = kept > 0 ? c->in.at : buffer;
	size_t len = kept + n, used = 0;
	if (len >= c->want) {
		c->want = 0;
		used = handle(fd, data, len);
		flush(fd);
	}
	if (kept > 0) {
		memmove(data, data + used, c->in.len = len - used);
	} else if (used < len) {
		add(&c->in, data + used, len - used);
	}
	if (c->in.len == 0 && c->in.cap < LARGE)
		release(&c->in);
}

static void accept_all(int listener) {
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= MOST_DESCRIPTORS || !(conns[fd] = calloc(1, sizeof *conns[fd])))
			fail("floor: accept");
		watch(fd, EPOLL_CTL_ADD, EPOLLIN);
	}
}

static void choose(const char *proto) {
	to_all = !strcmp(proto, "wsbc");
	gathers = !strcmp(proto, "wsgather");
	if (!strcmp(proto, "tcp"))
		handle = echo_bytes;
	else if (!strcmp(proto, "text"))
		handle = echo_lines;
	else if (!strcmp(proto, "http"))
		handle = say_hello;
	else
		handle = web_socket;
}

static int listen_on(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // accepted sockets inherit it
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0)
		fail("floor: listen");
	return fd;
}

static void round_of(int listener, struct epoll_event *events, int n) {
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		if (fd == listener) {
			accept_all(fd);
			continue;
		}
		if (events[i].events & EPOLLOUT)
			transmit_more(fd);
		if (events[i].events & ~EPOLLOUT)
			receive(fd);
	}
	for (int i = 0; gathered.len > 0 && i < listening; i++)
		transmit(listeners[i], gathered.at, gathered.len);
	gathered.len = 0;
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: floor tcp|text|http|ws|wsbc|wsgather PORT\n");
		return 2;
	}
	choose(argv[1]);
	int listener = listen_on(atoi(argv[2]));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(listener, EPOLL_CTL_ADD, EPOLLIN);
	for (struct epoll_event events[512];;) {
		int n = epoll_wait(epoll, events, 512, -1);
		round_of(listener, events, n);
	}
}
