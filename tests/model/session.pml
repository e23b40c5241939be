/*
 * The session protocol as a model for Spin, searched exhaustively by
 * tests/long/model.sh, and within smaller bounds by tests/870-model.sh.
 *
 * A sender and a receiver, two legs, a stream of FRAMES frames, a window of
 * WINDOW.  A leg's connection is a queue in each direction.  It may die at any
 * moment, DEATHS times for each leg: one end is the first to see that, loses what
 * it has not read, and reads and writes no more; the other sees it some time
 * later and until then reads what it has and writes into nothing.  A redial with
 * the next incarnation follows each death, and may overtake what is left of its
 * older self, in the receiver's backlog, too.  Frames are cut for whatever leg
 * takes them, again when they were lost, and copied to the other leg COPIES
 * times.  There is no time: what a timer may do, it may do at any moment.
 *
 * What is proved, within these bounds:
 *  1. Each frame is written once, in order, and is what was read: WRITE.  Both
 *     sides keep frames in WINDOW slots that are used again, so a slot that is
 *     given up too early shows.
 *  2. Nothing is sent beyond the credit, only what has arrived is acknowledged,
 *     and no BYE comes before DONE was said: the assertions in TAKE, ACKNOWLEDGE,
 *     RECEIVED and DELIVERED.
 *  3. The sender ends with 0 only when all was written and closed: HEAR, DONE.
 *  4. Whenever a leg comes back, both ends come to their end: init ends only when
 *     both have, so for Spin a state where nothing can go on before that is an
 *     invalid end state; and a search for cycles, of any kind, finds none, so
 *     every run gets to where nothing can go on.
 *
 * Which code each part mirrors; a step is what one thread does under one lock:
 *	ACKNOWLEDGE, RECEIVED, DELIVERED, LEG_DOWN, SEND	window.c: acknowledge,
 *		window_received, window_delivered, window_leg_down with lose;
 *		window_take with take_lost, take_fresh and fresh, late_segment
 *	READ		tx.c reader; window_room, window_fill, window_eof
 *	DIAL, and WELCOME in HEAR	dial.c dial_hello (the first greeting
 *		alone, the next incarnation) and dial_welcome; worker.c run
 *	ACCEPT		admit.c hand_over_locked (only a higher incarnation), worker.c
 *		serve; leg_up: what is due is said anew
 *	TAKE		inflow.c; reassembly.c reassembly_admit, reassembly_begin, reassembly_store, reassembly_fin
 *	WRITE, FINISH	rx.c writer, finish; outcome.c half_done
 *	SAY		rx.c rx_status, cumulative, by leg and incarnation; PENDING_DONE
 *	DONE in HEAR, BYE, and the ends	outcome.c outcome_peer_done,
 *		outcome_peer_bye; supervise.c closed_locked
 *
 * What is not here: frames of several bytes and the turn at the cursor, which
 * tests/simulation.c drives reassembly.c through; FAIL; timeouts; another receiver;
 * and the choice of the leg: here any may take what there is.
 *
 * What only keeps the search small: the source is always ahead; the first STATUS
 * comes with the first WELCOME; a HELLO that will be refused as stale is gone at
 * once; a leg's counts are kept relative to what the sender has confirmed, and a
 * flight whose frame is acknowledged otherwise is not counted any more (FORGET);
 * what would change nothing when it is read is not kept under way (SIFT, STALE);
 * FIN is not said to a receiver that has it; and the receiver speaks on a leg
 * again when what it said there was read.  Cycles are looked for without copies.
 *
 * BUG, from 1 to 7, seeds a bug that has to be found:
 *	1	an acknowledgement counts whatever its incarnation
 *	2	what a dead leg held is not sent again
 *	3	an older incarnation replaces a newer one
 *	4	DONE is said when all has arrived, before it is written
 *	5	a slot is given up when its frame is sent
 *	6	DONE is not said again on a leg that joins later
 *	7	FIN is said once for each leg, not for each incarnation
 */
#ifndef FRAMES
#define FRAMES	4
#endif
#ifndef WINDOW
#define WINDOW	3
#endif
#ifndef DEATHS
#define DEATHS	2	/* of each leg; at most 2 */
#endif
#ifndef COPIES
#define COPIES	1
#endif
#ifndef QUEUE
#define QUEUE	2	/* frames under way on one leg */
#endif
#ifndef BUG
#define BUG	0
#endif
#define FLIGHTS	5	/* most on one leg; asserted */

mtype = { NONE, DATA, FIN, BYE, STATUS, DONE };

#define BIT(x)		(1 << (x))
#define OTHER(l)	(1 - (l))

/* The connections: a queue there, one word back. */
chan fwd[2] = [QUEUE] of { mtype, byte, byte };
mtype back[2] = NONE;
byte told[2];			/* of a STATUS: delivered */
byte told_inc[4], told_got[4];	/* and by leg; of word w on leg l: 2 * w + l */

/* The sender. */
byte base, next, end_, limit, delivered;
byte acked, lost;		/* bits by frame */
byte slot[WINDOW];		/* what was read */
byte up[2];			/* 0 gone for good, 1 greeting, 2 up */
byte inc[2];			/* incarnation of the newest dial */
byte flight[2 * FLIGHTS];	/* frames that were cut for a leg, in order */
byte segments[2];
bool fin_said[2], bye_due[2];
byte copies;
bool tx_done, tx_over;

/* The receiver. */
byte backlog[2];		/* bits by incarnation: HELLOs that nobody has read */
byte rx_inc[2];			/* newest incarnation that was accepted */
byte got[2];			/* frames on it, without the confirmed */
bool done_due[2];
byte cursor;
byte stored;			/* bits by frame */
byte kept[WINDOW];
bool fin_seen, rx_done, rx_over;

/* Of one step only, so no part of a state. */
hidden byte j, k, m, n, s;
hidden mtype kind;
hidden byte a, b;

/* Both ends hold the leg's newest connection. */
#define JOINED(l)	(up[l] == 2 && rx_inc[l] == inc[l])
#define FLIGHT(l, k)	flight[(l) * FLIGHTS + (k)]
#define ACKNOWLEDGED(f)	((f) < base || (acked & BIT(f)) != 0)
#define ARRIVED(f)	((f) < cursor || (stored & BIT(f)) != 0)

/* What is under way on leg l and would change nothing is not kept. */
inline SIFT(l)
{
	m = len(fwd[l]);
	for (n : 1 .. m) {
		fwd[l]?kind,a,b;
		if
		:: kind == DATA && ARRIVED(a) && (!JOINED(l) || ACKNOWLEDGED(a))
		:: kind == FIN && fin_seen
		:: else -> fwd[l]!kind,a,b
		fi
	}
}

/*
 * Frame s is acknowledged, wherever it went: no leg has it any more, nor counts
 * it.  The first got[] segments are those that the receiver has counted.
 */
inline FORGET(l)
{
	k = segments[l];
	do
	:: k > 0 ->
		k--;
		if
		:: FLIGHT(l, k) == s ->
			for (n : k .. FLIGHTS - 2) {
				FLIGHT(l, n) = FLIGHT(l, n + 1)
			}
			FLIGHT(l, FLIGHTS - 1) = 0;
			segments[l]--;
			if :: got[l] > k -> got[l]-- :: else fi;
			if :: told_got[l] > k -> told_got[l]-- :: else fi;
			if :: told_got[2 + l] > k -> told_got[2 + l]-- :: else fi
		:: else
		fi
	:: else -> break
	od;
	SIFT(l)
}

inline ACKNOWLEDGE()
{
	if
	:: !ACKNOWLEDGED(s) ->
		assert(ARRIVED(s));
		lost = lost & ~BIT(s);
		acked = acked | BIT(s);
		FORGET(0);
		FORGET(1);
		do
		:: base < FRAMES && (acked & BIT(base)) != 0 ->
			acked = acked & ~BIT(base);
			base++
		:: else -> break
		od
	:: else
	fi
}

/* The receiver's count on leg j, of word w. */
inline RECEIVED(w)
{
	if
	:: up[j] == 2 && (told_inc[2 * w + j] == inc[j] || BUG == 1) ->
		assert(told_got[2 * w + j] <= segments[j] || BUG == 1);
		do
		:: told_got[2 * w + j] > 0 && segments[j] > 0 ->
			s = FLIGHT(j, 0);
			ACKNOWLEDGE()
		:: else -> break
		od
	:: else
	fi
}

inline DELIVERED(v)
{
	assert(v <= next);
	do
	:: delivered < v -> s = delivered; ACKNOWLEDGE(); delivered++
	:: else -> break
	od;
	if
	:: v + WINDOW > limit -> limit = v + WINDOW
	:: else
	fi
}

inline UNSAY(w)
{
	back[w] = NONE; told[w] = 0;
	told_inc[2 * w] = 0; told_inc[2 * w + 1] = 0;
	told_got[2 * w] = 0; told_got[2 * w + 1] = 0
}

inline NO_FLIGHTS(l)
{
	for (n : 0 .. FLIGHTS - 1) {
		flight[l * FLIGHTS + n] = 0
	}
	segments[l] = 0
}

inline DIAL(l)
{
	if
	:: !tx_done && inc[l] <= DEATHS ->
		inc[l]++;
		backlog[l] = backlog[l] | BIT(inc[l]);
		up[l] = 1
	:: else -> up[l] = 0
	fi
}

/* Leg l is down for the sender: what it held and is not acknowledged is lost. */
inline LEG_DOWN(l)
{
	for (n : 0 .. FLIGHTS - 1) {
		if
		:: n < segments[l] && BUG != 2 ->
			lost = lost | BIT(FLIGHT(l, n))
		:: else
		fi
	}
	NO_FLIGHTS(l);
	fin_said[l] = ((BUG == 7 && fin_said[l]) || (fin_seen && !rx_done));
	bye_due[l] = 0;
	if
	:: BUG != 1 ->
		/* The incarnation that these are of is not looked for any more. */
		got[l] = 0;
		told_inc[l] = 0; told_got[l] = 0;
		told_inc[2 + l] = 0; told_got[2 + l] = 0
	:: else
	fi;
	UNSAY(l);
	DIAL(l);
	if
	:: !rx_done -> SIFT(l)
	:: else
	fi
}

/* What the receiver has not read of leg l is lost. */
inline UNREAD(l)
{
	do
	:: len(fwd[l]) > 0 -> fwd[l]?kind,a,b
	:: else -> break
	od;
	a = 0
}

/* Frame s goes out on leg l as one more flight. */
inline SEND(l)
{
	assert(segments[l] < FLIGHTS);
	flight[l * FLIGHTS + segments[l]] = s;
	segments[l]++;
	fwd[l]!DATA,s,slot[s % WINDOW];
	if
	:: BUG == 5 -> ACKNOWLEDGE()
	:: else
	fi
}

/*
 * The oldest flight of the other leg may be copied to leg l when there is a hole
 * that others wait behind, or nothing else to send.
 */
#define LULL(l)		(acked != 0 || next == limit || (next == FRAMES && fin_said[l]))
#define MAY_COPY(l)	(copies < COPIES && LULL(l) && segments[OTHER(l)] > 0)

#define ROOM(l)		(up[l] == 2 && len(fwd[l]) < QUEUE)
#define SENDS(l)	(ROOM(l) && !rx_done)
#define IDLE(l)		(SENDS(l) && lost == 0)
#define SAYS(l)		(JOINED(l) && !rx_over && back[l] == NONE)
/* The sender does not know it yet. */
#define NEWS		(!rx_done && (cursor + WINDOW > limit || got[0] > 0 || got[1] > 0))

/* Leg 0 is the one that is accepted first; otherwise it is like the other. */
#define READS(l)	(!rx_over && (l == 0 || rx_inc[0] != 0))

inline READ()
{
	do
	:: end_ < FRAMES && end_ < base + WINDOW -> slot[end_ % WINDOW] = end_; end_++
	:: else -> break
	od;
	s = 0
}

/* HELLO of incarnation k is read, and the connection is the leg's if it is new. */
inline ACCEPT(l, k)
{
	backlog[l] = backlog[l] & ~BIT(k);
	if
	:: k > rx_inc[l] || BUG == 3 ->
		UNREAD(l);
		rx_inc[l] = k; got[l] = 0;
		backlog[l] = (BUG == 3 -> backlog[l] : backlog[l] & ~(BIT(k) - 1));
		done_due[l] = (rx_done && BUG != 6);
		if
		:: k == inc[l] && !tx_over -> up[l] = 2; bye_due[l] = tx_done	/* WELCOME */
		:: else
		fi
	:: else
	fi
}

/*
 * The stream is complete: it is closed, and every leg has DONE to say.  What the
 * sender's window does from now on is of no effect, so it is left out.
 */
inline FINISH()
{
	if
	:: fin_seen && !rx_done && (cursor == FRAMES ||
	    (BUG == 4 && stored == BIT(FRAMES) - BIT(cursor))) ->
		rx_done = 1;
		done_due[0] = (rx_inc[0] != 0); done_due[1] = (rx_inc[1] != 0);
		NO_FLIGHTS(0); NO_FLIGHTS(1);
		UNREAD(0); UNREAD(1);
		acked = 0; lost = 0;
		base = FRAMES; next = FRAMES; delivered = FRAMES; limit = FRAMES + WINDOW;
		copies = 0;
		fin_said[0] = 0; fin_said[1] = 0; got[0] = 0; got[1] = 0
	:: else
	fi
}

inline TAKE(l)
{
	fwd[l]?kind,a,b;
	if
	:: kind == DATA ->
		assert(a < cursor + WINDOW && a < FRAMES);
		got[l] = got[l] + (JOINED(l) || BUG == 1);	/* otherwise nobody looks */
		if
		:: a >= cursor && (stored & BIT(a)) == 0 ->
			stored = stored | BIT(a);
			kept[a % WINDOW] = b;
			SIFT(OTHER(l))
		:: else
		fi
	:: kind == FIN ->
		assert(a == FRAMES);
		fin_seen = 1;
		fin_said[0] = 1; fin_said[1] = 1;
		SIFT(0); SIFT(1);
		FINISH()
	:: kind == BYE ->
		assert(rx_done);
		rx_over = 1
	fi
}

inline SAY(l, what)
{
	back[l] = what;
	if
	:: what == STATUS ->
		told[l] = cursor;
		told_inc[2 * l] = (got[0] > 0 -> rx_inc[0] : 0);
		told_got[2 * l] = got[0];
		told_inc[2 * l + 1] = (got[1] > 0 -> rx_inc[1] : 0);
		told_got[2 * l + 1] = got[1]
	:: else
	fi
}

/* Of word w, the sender knows this much already; perhaps all of it. */
inline STALE(w)
{
	if
	:: back[w] == STATUS ->
		told[w] = (told[w] < delivered -> delivered : told[w]);
		if
		:: told[w] + WINDOW <= limit && told_got[2 * w] == 0 &&
		    told_got[2 * w + 1] == 0 -> UNSAY(w)
		:: else
		fi
	:: else
	fi
}

inline HEAR(l)
{
	if
	:: back[l] == STATUS ->
		assert(up[l] == 2);
		if
		:: !rx_done ->
			j = 0; RECEIVED(l);
			j = 1; RECEIVED(l);
			DELIVERED(told[l]);
			STALE(OTHER(l));
			READ()
		:: else
		fi
	:: back[l] == DONE ->
		assert(end_ == FRAMES);
		assert(rx_done && cursor == FRAMES);
		if
		:: !tx_done ->
			tx_done = 1;
			bye_due[0] = (up[0] == 2); bye_due[1] = (up[1] == 2)
		:: else
		fi
	fi;
	UNSAY(l)
}

/* All that can happen to a leg, at both ends. */
proctype leg(byte l)
{
end:	do
	/*
	 * It dies.  What the receiver has not read by then it may read or not.  (Had
	 * the receiver been first to see it, that would be as if it read no more.)
	 */
	:: d_step { !tx_done && inc[l] <= DEATHS -> LEG_DOWN(l) }
	:: d_step { !JOINED(l) && len(fwd[l]) > 0 -> UNREAD(l) }
	/* The backlog is read in any order. */
	:: d_step { READS(l) && (backlog[l] & BIT(1)) != 0 -> ACCEPT(l, 1) }
	:: d_step { READS(l) && (backlog[l] & BIT(2)) != 0 -> ACCEPT(l, 2) }
	:: d_step { READS(l) && (backlog[l] & BIT(3)) != 0 -> ACCEPT(l, 3) }
	/* The sender sends what was lost, what is new, FIN, a copy; in the end BYE. */
	:: d_step { SENDS(l) && lost != 0 ->
		s = 0;
		do
		:: (lost & BIT(s)) == 0 -> s++
		:: else -> break
		od;
		lost = lost & ~BIT(s);
		SEND(l) }
	:: d_step { IDLE(l) && next < end_ && next < limit -> s = next; next++; SEND(l) }
	:: d_step { IDLE(l) && next == FRAMES && !fin_said[l] ->
		fin_said[l] = 1; fwd[l]!FIN,FRAMES,0 }
	:: d_step { IDLE(l) && MAY_COPY(l) -> copies++; s = FLIGHT(OTHER(l), 0); SEND(l) }
	:: d_step { bye_due[l] && ROOM(l) -> bye_due[l] = 0; fwd[l]!BYE,0,0 }
	/* The receiver reads; and says what is new, then its outcome. */
	:: d_step { !rx_over && len(fwd[l]) > 0 -> TAKE(l) }
	:: d_step { SAYS(l) && NEWS -> SAY(l, STATUS) }
	:: d_step { SAYS(l) && done_due[l] -> done_due[l] = 0; SAY(l, DONE) }
	/* The sender reads. */
	:: d_step { back[l] != NONE -> HEAR(l) }
	od
}

/* What is not of a leg: the writer, and how it ends. */
init
{
	d_step {
		back[0] = NONE; back[1] = NONE;
		DIAL(0); DIAL(1);
		limit = WINDOW;
		READ()
	}
	run leg(0);
	run leg(1);
	do
	:: d_step { (stored & BIT(cursor)) != 0 ->	/* WRITE */
		do
		:: cursor < FRAMES && (stored & BIT(cursor)) != 0 ->
			assert(kept[cursor % WINDOW] == cursor);
			stored = stored & ~BIT(cursor);
			cursor++
		:: else -> break
		od;
		FINISH() }
	/* The sender's farewell is over, whatever of it was said; so are its legs. */
	:: d_step { tx_done && !tx_over ->
		tx_over = 1;
		LEG_DOWN(0); LEG_DOWN(1) }
	/* BYE was lost, and the receiver has kept its outcome for long enough. */
	:: d_step { tx_over && rx_done && !rx_over && len(fwd[0]) == 0 && len(fwd[1]) == 0 ->
		rx_over = 1 }
	:: tx_over && rx_over -> break
	od
}
