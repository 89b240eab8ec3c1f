/*
 * Subscribe, replay, live: a model of how a client that was away gets what it missed. README.md says what it proves.
 *
 *   Publisher ──▶ Broker ── link: in order, breaks ──▶ Node ── cut, comes back anywhere ──▶ Client
 *                   ▲  └─── answers: at any time ───────▶ │
 *                   └────── what came after a position? ──┘
 *
 * A position is an epoch and an offset, as in the package push. Beside them each message has its number: how many
 * publications there have been, ever. The rule never looks at numbers. Only assertions do: they are the truth.
 *
 * Bounds. A run is finite: so many messages, cuts, breaks and crashes.
 */
#ifndef MESSAGES
#define MESSAGES 3 /* of both publishers together */
#endif
#ifndef KEEP
#define KEEP 1 /* messages that the broker keeps */
#endif
#ifndef HOLD
#define HOLD 1 /* messages that are held while history is read; more: it is read again */
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef BREAKS
#define BREAKS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

#define NODES 2

/* -DWITHOUT_… takes a part of the rule out: README.md has the list. */

#define none 0
mtype = { asked, known };                          /* a question or a subscription; known: answered, confirmed */
mtype = { away, waiting, reading, trailing, live } /* the client, as its node sees it: see README.md */

typedef History { /* what the broker says of what came after a position */
	bool gap;
	byte epoch, top, number /* of the newest message */
}

typedef Held { /* messages that have come meanwhile: one behind the other, the last one with its number */
	byte epoch, first, last, number;
	bool missing /* not all of them could be held */
}

typedef Node {
	chan link = [MESSAGES + 1] of { byte, byte, byte }; /* epoch, offset and number; epoch 0 confirms a subscription */
	bool broken;      /* what is published is lost for this node, which has not noticed it */
	bool subscribed;  /* as the broker sees it */
	bool wanted;      /* somebody on this node follows the target */
	mtype subscription;

	bool has_tail;    /* the last position that was handed to those who follow the target here */
	byte epoch, tail, number;
	mtype repair;     /* of a hole, or after a break: what came after the tail? */
	History repaired;
	Held meanwhile;

	mtype replay;     /* what came after the client's position? */
	History replayed;
	Held held
}

Node node[NODES];

byte epoch = 1, top, number; /* of the broker */

byte at;                     /* the node that the client is on, unless it is away */
mtype client = away;
byte client_epoch, client_offset; /* what it stores and hands back; epoch 0: it was never here */
byte seen;                   /* number of the last message that it got, or that it was told not to get */

/* ---- The broker: one order for all. ---- */

inline publish() {
	top++;
	number++;
	for (i : 0 .. NODES - 1) {
		if
		:: node[i].subscribed -> node[i].link!epoch, top, number
		:: else
		fi
	}
	i = 0
}

inline clear_history(answer) {
	answer.gap = false;
	answer.epoch = 0;
	answer.top = 0;
	answer.number = 0
}

/* read tells what came after a position, whole or not at all. */
inline read(answer, its_epoch, its_offset) {
	answer.gap = its_epoch != 0 && (its_epoch != epoch || its_offset > top || its_offset + KEEP < top);
	answer.epoch = epoch;
	answer.top = top;
	answer.number = number
}

proctype Publisher(byte n, left) {
	byte i;
	do
	:: left > 0 -> atomic { !node[n].broken -> publish(); left-- }
	:: else -> break
	od
}

proctype Broker(byte n) {
	end:
	do
	:: atomic { node[n].subscription == asked && !node[n].subscribed && !node[n].broken ->
		node[n].subscribed = true;
		node[n].link!0, 0, 0 }
#ifdef WITHOUT_SUBSCRIBING_FIRST
	:: atomic { node[n].subscription == known && !node[n].subscribed && !node[n].broken ->
		node[n].subscribed = true }
#endif
	:: d_step { node[n].replay == asked ->
		read(node[n].replayed, client_epoch, client_offset);
		node[n].replay = known }
	:: d_step { node[n].repair == asked ->
		read(node[n].repaired, node[n].epoch, node[n].tail);
		node[n].repair = known }
	od
}

/* ---- The client: whatever it is given, nothing is missing. ---- */

inline store(its_epoch, its_offset, its_number) {
	seen = its_number;
	client_epoch = its_epoch;
	client_offset = its_offset
}

inline receive(its_epoch, its_offset, its_number) {
	assert(its_number == seen + 1); /* no gap, no double, no turn */
	store(its_epoch, its_offset, its_number)
}

/* tell tells a gap: the client loads its state, and goes on from a position. */
inline tell(its_epoch, its_offset, its_number) {
	assert(its_number >= seen);                                    /* never back */
	assert(its_epoch != client_epoch || its_number > seen + KEEP); /* and only if it is true */
	store(its_epoch, its_offset, its_number)
}

/* ---- A node: what it does when something comes. ---- */

#define self node[me]
#define here (client != away && at == me)

inline clear(range) {
	range.epoch = 0;
	range.first = 0;
	range.last = 0;
	range.number = 0;
	range.missing = false
}

inline hold(range, its_epoch, its_offset, its_number) {
	if
	:: range.last == 0 ->
		range.epoch = its_epoch;
		range.first = its_offset;
		range.last = its_offset;
		range.number = its_number
	:: range.last > 0 && its_epoch == range.epoch && its_offset == range.last + 1 &&
		its_offset - range.first < HOLD ->
		range.last = its_offset;
		range.number = its_number
	:: else -> range.missing = true
	fi
}

inline move_tail(its_epoch, its_offset, its_number) {
	self.has_tail = true;
	self.epoch = its_epoch;
	self.tail = its_offset;
	self.number = its_number
}

/* hand gives a message to all who follow the target here. It is the next one after the tail. */
inline hand(its_epoch, its_offset, its_number) {
	assert(!self.has_tail || its_number == self.number + 1); /* the same for who is there all the time */
	move_tail(its_epoch, its_offset, its_number);
	if
	:: here && client == trailing && its_epoch == client_epoch && its_offset > client_offset -> client = live
	:: else
	fi;
	if
#ifndef WITHOUT_HOLDING
	:: here && client == reading -> hold(self.held, its_epoch, its_offset, its_number)
#endif
#ifdef WITHOUT_SKIPPING
	:: here && client == trailing -> receive(its_epoch, its_offset, its_number)
#endif
	:: here && client == live -> receive(its_epoch, its_offset, its_number)
	:: else
	fi
}

/* come takes a message from the link. */
inline come(its_epoch, its_offset, its_number) {
	if
	:: self.repair != none -> hold(self.meanwhile, its_epoch, its_offset, its_number)
	:: self.repair == none ->
		if
		:: !self.has_tail || its_epoch == self.epoch && its_offset == self.tail + 1 ->
			hand(its_epoch, its_offset, its_number)
		:: self.has_tail && its_epoch == self.epoch && its_offset <= self.tail /* it was repaired before it came */
		:: else -> hold(self.meanwhile, its_epoch, its_offset, its_number); self.repair = asked
		fi
	fi
}

/* release hands what has come while the tail was repaired. */
inline release() {
	if
	:: self.meanwhile.last > 0 && self.meanwhile.epoch == self.epoch ->
		for (k : self.meanwhile.first .. self.meanwhile.last) {
			if
			:: k > self.tail -> hand(self.epoch, k, self.meanwhile.number - (self.meanwhile.last - k))
			:: else
			fi
		}
	:: else
	fi;
	clear(self.meanwhile)
}

inline read_again() {
	client = reading;
	clear(self.held);
	self.replay = asked
}

/* look_after_trailing has a client whose position the tail will never come to read again. */
inline look_after_trailing() {
	if
	:: here && client == trailing && (client_epoch != self.epoch || client_offset < self.tail) -> read_again()
	:: else
	fi
}

/* mend takes what came after the tail. */
inline mend() {
	self.repair = none;
	if
	:: self.meanwhile.missing -> clear(self.meanwhile); self.repair = asked
	:: !self.meanwhile.missing && self.repaired.gap ->
		if
		:: here && client == live -> tell(self.repaired.epoch, self.repaired.top, self.repaired.number)
		:: else
		fi;
		move_tail(self.repaired.epoch, self.repaired.top, self.repaired.number);
		look_after_trailing();
		release()
	:: else ->
		for (k : self.tail + 1 .. self.repaired.top) {
			hand(self.epoch, k, self.repaired.number - (self.repaired.top - k))
		}
		look_after_trailing();
		release()
	fi;
	clear_history(self.repaired)
}

/* replay_it gives the client what came after its position. */
inline replay_it() {
	if
	:: client_epoch == 0 -> store(self.replayed.epoch, self.replayed.top, self.replayed.number)
	:: client_epoch != 0 && self.replayed.gap ->
		tell(self.replayed.epoch, self.replayed.top, self.replayed.number)
	:: else ->
		for (k : client_offset + 1 .. self.replayed.top) {
			receive(self.replayed.epoch, k, self.replayed.number - (self.replayed.top - k))
		}
	fi
}

/* catch_up gives the client what was held, as far as it does not have it. */
inline catch_up() {
	if
	:: self.held.last > 0 ->
		for (k : self.held.first .. self.held.last) {
			if
#ifdef WITHOUT_SKIPPING
			:: true ->
#else
			:: k > client_offset ->
#endif
				receive(self.held.epoch, k, self.held.number - (self.held.last - k))
			:: else
			fi
		}
	:: else
	fi;
	clear(self.held)
}

/* begin takes what came after the client's position: first this, then what was held. Then it is live, as soon as the
   tail is as far. */
inline begin() {
	self.replay = none;
	replay_it();
	if
	:: self.held.missing || self.held.last > 0 &&
		(self.held.epoch != client_epoch || self.held.first > client_offset + 1) -> read_again()
	:: else ->
		catch_up();
		if
		:: !self.has_tail -> move_tail(client_epoch, client_offset, seen); client = live
		:: self.has_tail && self.epoch == client_epoch && self.tail == client_offset -> client = live
		:: self.has_tail && self.epoch == client_epoch && self.tail < client_offset -> client = trailing
		:: else ->
#if defined(WITHOUT_HOLDING) || defined(WITHOUT_COMPARING)
			client = live
#else
			if
			:: self.epoch != client_epoch -> client = trailing; self.repair = asked /* the link must have broken */
			:: else -> read_again() /* what the tail was repaired with is newer */
			fi
#endif
		fi
	fi;
	clear_history(self.replayed)
}

inline confirm() {
	self.subscription = known;
#ifndef WITHOUT_REPAIR
	if
	:: self.has_tail -> self.repair = asked
	:: else
	fi;
#endif
	if
	:: here -> if :: client == waiting -> client = reading; self.replay = asked :: else fi
	:: else
	fi
}

/* forget gives up what the client has asked for. */
inline forget() {
	self.replay = none;
	clear(self.held);
	clear_history(self.replayed)
}

/* leave ends the subscription of the target, of which nothing is known here from now on. */
inline leave() {
	self.wanted = false;
	self.subscription = none;
	self.subscribed = false;
	self.has_tail = false;
	self.epoch = 0;
	self.tail = 0;
	self.number = 0;
	self.repair = none;
	clear(self.meanwhile);
	clear_history(self.repaired)
}

inline subscribe() {
	self.subscription = asked;
#ifdef WITHOUT_SUBSCRIBING_FIRST
	confirm()
#endif
}

/* connect_again: the break is noticed. What was under way is lost, and what was asked is asked again. */
inline connect_again() {
	self.broken = false;
	do
	:: self.link?_, _, _
	:: empty(self.link) -> break
	od;
	self.repair = none;
	clear(self.meanwhile);
	clear_history(self.repaired);
	forget();
	if
	:: here && client == reading -> client = waiting
	:: else
	fi;
	if
	:: self.wanted -> subscribe()
	:: else
	fi
}

proctype Hub(byte me) {
	byte k, e, o, n;
	end:
	do
	:: atomic { self.link?[_, _, _] ->
		self.link?e, o, n;
		if
		:: e == 0 -> confirm()
		:: e > 0 && self.subscription == known -> come(e, o, n)
		:: else /* what was under way */
		fi;
		e = 0;
		o = 0;
		n = 0;
		k = 0 }
	:: atomic { self.repair == known -> mend(); k = 0 }
	:: atomic { self.replay == known -> begin(); k = 0 }
	:: atomic { self.broken -> connect_again() }
	od
}

/* ---- The client comes to a node: it does not matter to which of two that are alike. ---- */

proctype Coming() {
	byte me;
	bool again;
	end:
	do
	:: atomic { client == away ->
		if
		:: me = 0
		:: again || node[0].wanted -> me = 1
		fi;
		again = true;
		at = me;
		self.wanted = true;
		client = waiting;
		if
		:: self.subscription == known -> client = reading; self.replay = asked
		:: self.subscription == none -> subscribe()
		:: else
		fi;
		me = 0 }
	od
}

/* ---- What goes wrong: so much of it, or less. ---- */

inline break_link(which) {
	node[which].broken = true;
	node[which].subscribed = false
}

inline cut() {
	me = at;
	forget();
	client = away;
	at = 0;
	if
	:: self.subscription == known -> leave() /* it was the last one here */
	:: true
	fi;
	me = 0
}

inline crash() {
#ifndef WITHOUT_EPOCH
	epoch++;
#endif
	top = 0;
	break_link(0);
	break_link(1)
}

proctype Faults() {
	byte cuts, breaks, crashes, me;
	do
	:: atomic { client != away && cuts < CUTS -> cut(); cuts++ }
	:: atomic { !node[0].broken && breaks < BREAKS -> break_link(0); breaks++ }
	:: atomic { !node[1].broken && breaks < BREAKS -> break_link(1); breaks++ }
	:: d_step { crashes < CRASHES -> crash(); crashes++ }
	:: break
	od
}

/* Quiet: when nothing can happen any more, the client has all, and so has everybody else. */
active proctype Quiet() {
	byte i;
	timeout;
	assert((client == live || client == trailing) && client_epoch == epoch && client_offset == top && seen == number);
	for (i : 0 .. NODES - 1) {
		assert(!node[i].has_tail || node[i].epoch == epoch && node[i].tail == top)
	}
}

init {
	atomic {
		if
		:: client_epoch = 1 /* it was here before */
		:: true
		fi;
		if
		:: node[0].wanted = true; node[0].subscription = asked /* somebody else follows there, all the time */
		:: true
		fi;
		run Publisher(0, MESSAGES - MESSAGES / 2);
		run Publisher(1, MESSAGES / 2);
		run Broker(0);
		run Broker(1);
		run Hub(0);
		run Hub(1);
		run Coming();
		run Faults()
	}
}
