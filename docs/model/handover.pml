/*
 * Handover: a model of how a process gives its connections to its successor. README.md says what it proves.
 *
 *              Hand, and an end of a pair                   Start, and the other end
 *   Predecessor ◀───────────────────────── Master ─────────────────────────▶ Successor
 *        │  ▲                                                                  │  ▲
 *        │  └─────────────── welcome, ready, and then mine, or failed ─────────┘  │
 *        └──── hello, records with descriptors, end, keep, yours, or abort ───────┘
 *
 * There are four connections: one that the successor takes, one that it refuses, one that has changed since its record,
 * so that the predecessor keeps it, and one that has no record, as it stays. Before all that, the predecessor may have
 * lent them: then the successor has their descriptors, and knows of no connection. Each process may be killed at any moment, and each may lose its patience.
 * What one has written before it died is still read.
 */
#ifndef ROOM
#define ROOM 2 /* messages that the socket holds: a writer waits when it is full */
#endif
#ifndef CRASHES
#define CRASHES 3
#endif

/* -DWITHOUT_… takes a part of the rule out: README.md has the list. */

#define CONNS 4
#define taken 0
#define refused 1
#define kept 2
#define stays 3

mtype = { hello, record, end_, keep, yours, abort }; /* of the predecessor */
mtype = { welcome, ready, mine, failed };            /* of the successor */
mtype = { hand, start, resume, leave, serves };      /* with the master */

chan down = [ROOM] of { mtype }; /* from the predecessor to the successor */
chan up = [ROOM] of { mtype };
chan to_old = [2] of { mtype };
chan to_new = [2] of { mtype };
chan from_new = [2] of { mtype };

bool old_dead, new_dead, master_dead;
bool old_closed, new_closed; /* its end of the pair */

bool old_has[CONNS], new_has[CONNS];     /* a descriptor */
bool old_reads[CONNS], new_reads[CONNS]; /* and takes what comes from it */
byte crashes;

#define one_reader \
	(!(old_reads[taken] && new_reads[taken]) && !(old_reads[refused] && new_reads[refused]) && \
	 !(old_reads[kept] && new_reads[kept]) && !new_reads[stays])

bool lending_over;          /* the master may go on */
bool hand_sent, start_sent; /* an end of the pair is with whom it was sent to; before, its end is the master's */
bool gave;                  /* the predecessor has given up what was taken, for good */
bool able;                  /* the successor has all records, and nobody has given up */
mtype occupant = hand;      /* what the master takes to serve: hand, the predecessor; serves, the successor */

#define down_ended (empty(down) && (old_dead || old_closed || master_dead && !hand_sent))
#define up_ended (empty(up) && (new_dead || new_closed || master_dead && !start_sent))
#define reader_gone (new_dead || new_closed || master_dead && !start_sent) /* a write fails */

/* ---- The predecessor. ---- */

inline serve_again() {
	atomic {
		old_reads[taken] = true;
		old_reads[refused] = true;
		old_reads[kept] = true;
		old_reads[stays] = true;
		assert(one_reader)
	}
}

/* give_up serves again, and tells the successor. It keeps its end open until the word is written, or nobody is there:
   an end that closes without a word means a death. */
inline give_up() {
	serve_again();
#ifndef WITHOUT_ABORT
	if
	:: atomic { nfull(down) && !reader_gone -> down!abort }
	:: reader_gone
	fi;
#endif
	old_closed = true
}

/* say writes, unless the successor is gone or it takes too long. */
inline say(what) {
	if
	:: atomic { nfull(down) && !reader_gone -> down!what }
	:: give_up(); goto told
	fi
}

/* lend gives the successor descriptors while it serves: all, or the first ones, as they have their limits. What it
   hears of that does not matter here: a record brings the descriptor, or says that it has come before. */
inline lend() {
	if
	:: atomic {
		!new_dead && !new_closed ->
		new_has[taken] = true;
		new_has[refused] = true;
		new_has[kept] = true;
		new_has[stays] = true }
	:: atomic { !new_dead && !new_closed -> new_has[stays] = true }
	:: true
	fi;
	lending_over = true
}

proctype Old() {
	{
		lend();
		if
		:: to_old?hand
		:: empty(to_old) && master_dead -> goto off
		fi;
		d_step { /* it stands still */
			old_reads[taken] = false;
			old_reads[refused] = false;
			old_reads[kept] = false;
			old_reads[stays] = false
		};
		say(hello);
		if
		:: up?welcome
		:: up?failed -> give_up(); goto told
		:: give_up(); goto told /* it loses its patience, or the successor is gone */
		fi;
		say(record);
		say(end_);
		if
		:: up?ready
		:: up?failed -> give_up(); goto told
#ifdef WITHOUT_READY
		:: true /* commits before the successor says that it has all */
#endif
		:: give_up(); goto told
		fi;
		say(keep);
		say(yours);
#ifndef WITHOUT_WORD
		if
		:: up?mine
		:: up?failed -> serve_again(); old_closed = true; goto told
		:: up_ended -> assert(new_dead)
		fi;
#endif
		d_step {
			gave = true;
			old_has[taken] = false;    /* its duplicate */
			old_reads[refused] = true; /* until its client goes, or the drain is over */
			old_reads[kept] = true;
			old_reads[stays] = true;
			old_closed = true
		};
		assert(one_reader);
	told:
		if
		:: to_old?leave
		:: to_old?resume
		:: empty(to_old) && master_dead
		fi;
	off: skip
	} unless {
		old_dead
	}
}

/* ---- The successor. ---- */

/* fail says so, and closes what it has. still: it would be able, if it wanted. */
inline fail(still) {
	if
	:: atomic { nfull(up) -> up!failed }
	:: old_closed || old_dead
	fi;
	atomic {
		able = still;
		new_has[taken] = false;
		new_has[refused] = false;
		new_has[kept] = false;
		new_has[stays] = false;
		new_closed = true
	};
	from_new!failed;
	goto off
}

/* hear reads, unless the predecessor has given up or died, or what comes is not understood, or too late. */
inline hear(what) {
	if
	:: down?what
	:: down?abort -> fail(false)
	:: down_ended -> fail(able)
	:: fail(false)
	fi
}

/* hear_or_inherit reads likewise, when all records are there. */
inline hear_or_inherit(what) {
	if
	:: down?what
	:: down?abort -> fail(false)
#ifdef WITHOUT_INHERITING
	:: down_ended -> fail(able)
#else
	:: down_ended ->
		assert(old_dead); /* an end without a word */
		goto serve
#endif
	:: fail(false)
	fi
}

proctype New() {
	{
		if
		:: to_new?start
		:: atomic {
			empty(to_new) && master_dead ->
			new_has[taken] = false; /* it ends */
			new_has[refused] = false;
			new_has[kept] = false;
			new_has[stays] = false;
			new_closed = true };
			goto off
		fi;
		hear(hello);
		if
		:: atomic { nfull(up) -> up!welcome }
		:: fail(false) /* it cannot start */
		fi;
		if
		:: atomic {
			down?record;
			new_has[taken] = true;
			new_has[refused] = true;
			new_has[kept] = true }
		:: down?abort -> fail(false)
		:: down_ended -> fail(able)
		:: fail(false)
		fi;
		hear(end_);
		d_step { able = true; new_has[refused] = false };
		if
		:: atomic { nfull(up) -> up!ready }
		:: old_closed || old_dead /* what it said before is read next */
		:: fail(false)
		fi;
		hear_or_inherit(keep);
#ifndef WITHOUT_KEEPING
		new_has[kept] = false;
#endif
		hear_or_inherit(yours);
		if
		:: atomic { nfull(up) -> up!mine }
		:: old_closed || old_dead
		fi;
	serve:
		atomic {
			new_reads[taken] = true;
			new_reads[kept] = new_has[kept];
			assert(one_reader)
		};
		from_new!serves;
#ifndef WITHOUT_RETURNING
		new_has[stays] = false; /* it was lent, and is in no record */
#endif
	off: skip
	} unless {
		new_dead
	}
}

/* ---- The master, and what goes wrong. ---- */

inline kill_old() {
	old_dead = true;
	old_has[taken] = false;
	old_has[refused] = false;
	old_has[kept] = false;
	old_has[stays] = false;
	old_reads[taken] = false;
	old_reads[refused] = false;
	old_reads[kept] = false;
	old_reads[stays] = false
}

inline kill_new() {
	new_dead = true;
	new_has[taken] = false;
	new_has[refused] = false;
	new_has[kept] = false;
	new_has[stays] = false;
	new_reads[taken] = false;
	new_reads[refused] = false;
	new_reads[kept] = false
}

/* The master hears from the successor how it ended. It kills a process that hangs. */
proctype Master() {
	{
		lending_over || old_dead;
		atomic { to_old!hand; hand_sent = true };
		atomic { to_new!start; start_sent = true };
		if
		:: atomic { !old_dead -> kill_old() }
		:: true
		fi;
		if
		:: from_new?serves -> occupant = serves; to_old!leave
		:: from_new?failed -> to_old!resume
		:: new_dead && empty(from_new) -> to_old!resume
		:: atomic { !new_dead && empty(from_new) -> kill_new() }; to_old!resume
		fi
	} unless {
		master_dead
	}
}

proctype Faults() {
	do
	:: atomic { crashes < CRASHES && !old_dead -> crashes++; kill_old() }
	:: atomic { crashes < CRASHES && !new_dead -> crashes++; kill_new() }
	:: atomic { crashes < CRASHES && !master_dead -> crashes++; master_dead = true }
	:: break
	od
}

/* Quiet: when nothing can happen any more, each connection is served, unless who held it has died. */
active proctype Quiet() {
	byte c;
	timeout;
	for (c : taken .. stays) {
		if
		:: c == taken && gave -> assert(new_reads[c] || new_dead)
		:: c == taken && !gave -> assert(old_reads[c] || new_reads[c] || old_dead && (new_dead || !able))
		:: else -> assert(old_reads[c] || old_dead)
		fi;
		assert(!old_has[c] || old_reads[c]); /* no descriptor is left over */
		assert(!new_has[c] || new_reads[c])
	};
	assert(master_dead || occupant != serves || new_reads[taken] || new_dead);
	assert(master_dead || occupant != hand || !new_reads[taken])
}

init {
	atomic {
		old_has[taken] = true;
		old_has[refused] = true;
		old_has[kept] = true;
		old_has[stays] = true;
		old_reads[taken] = true;
		old_reads[refused] = true;
		old_reads[kept] = true;
		old_reads[stays] = true;
		run Old();
		run New();
		run Master();
		run Faults()
	}
}
