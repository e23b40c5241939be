/*
 * The session protocol as a model for Spin, searched exhaustively by
 * tests/87-model.sh.
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
 *  2. Nothing is sent beyond the credit or acknowledged that was not sent, and
 *     no BYE comes before DONE was said: the assertions in TAKE and HEAR.
 *  3. The sender ends with 0 only when all was written and closed: HEAR, DONE.
 *  4. Both ends come to their end, from every state in which the deaths are used
 *     up: init ends only when both have, so for Spin a state where nothing can go
 *     on before that is an invalid end state; and `steps' counts up with every
 *     step of a search for cycles, see there.
 *
 * Which code each part mirrors; a step is what one thread does under one lock:
 *	ACKNOWLEDGE, RECEIVED, DELIVERED, LEG_DOWN, SEND	window.c: acknowledge,
 *		window_received, window_delivered, window_leg_down with lose;
 *		window_take with take_lost, take_fresh and fresh, late_flight
 *	READ		tx.c reader; window_room, window_fill, window_eof
 *	DIAL, and WELCOME in HEAR	session.c session_hello (the first greeting
 *		alone, the next incarnation) and session_welcome; worker.c run
 *	ACCEPT		session.c hand_over_locked (only a higher incarnation), worker.c
 *		take_pending and serve; session_leg_up: what is due is said anew
 *	TAKE		inflow.c; order.c order_admit, order_begin, order_store, order_fin
 *	WRITE, FINISH	rx.c writer, finish; session.c session_done
 *	SAY		rx.c rx_status, cumulative, by leg and incarnation; DUE_DONE
 *	DONE in HEAR, BYE, and the ends	session.c session_peer_done,
 *		session_peer_bye, closed_locked
 *
 * What is not here: frames of several octets and the turn at the cursor, which
 * tests/simulation.c drives order.c through; FAIL; timeouts; another receiver;
 * and the choice of the leg: here any may take what there is.
 *
 * What only keeps the search small: the source is always ahead; a leg's counts
 * are kept relative to what the sender has confirmed; a HELLO that will be
 * refused as stale is gone at once; what the receiver says waits while something
 * is under way on that leg, and something on the other leg is overtaken
 * OVERTAKES times.
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
#ifndef OVERTAKES
#define OVERTAKES	1
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
byte deaths[2], overtakes;

/* The sender. */
byte base, next, end_, limit, delivered;
byte acked, lost;		/* bits by frame */
byte slot[WINDOW];		/* what was read */
byte up[2];			/* 0 gone for good, 1 greeting, 2 up */
byte inc[2];			/* incarnation of the newest dial */
byte flight[2 * FLIGHTS];	/* frame, +16 when it was copied, +32 when a copy */
byte flights[2];
bool fin_said[2], bye_due[2];
byte copies;
bool tx_done, tx_over;

/* The receiver. */
byte backlog[2];		/* bits by incarnation: HELLOs that nobody has read */
byte rx_inc[2];			/* newest incarnation that was accepted */
bool rx_up[2];
byte got[2];			/* frames on this incarnation, without the confirmed */
bool done_due[2];
byte cursor;
byte stored;			/* bits by frame */
byte kept[WINDOW];
bool fin_seen, rx_done, rx_over;

/* Of one step only, so no part of a state. */
hidden byte j, s, n;
hidden mtype kind;
hidden byte a, b;

/* Both ends hold the leg's newest connection. */
#define JOINED(l)	(up[l] != 0 && rx_up[l] && rx_inc[l] == inc[l])

/* Frame s has arrived. */
inline ACKNOWLEDGE()
{
	if
	:: s >= base ->
		lost = lost & ~BIT(s);
		acked = acked | BIT(s);
		do
		:: base < FRAMES && (acked & BIT(base)) != 0 ->
			acked = acked & ~BIT(base);
			base++
		:: else -> break
		od
	:: else
	fi
}

/* The first flight of leg j is confirmed; whoever counts them counts one less. */
inline CONFIRM()
{
	s = flight[j * FLIGHTS] % 16;
	ACKNOWLEDGE();
	for (n : 0 .. FLIGHTS - 2) {
		flight[j * FLIGHTS + n] = flight[j * FLIGHTS + n + 1]
	}
	flight[j * FLIGHTS + FLIGHTS - 1] = 0;
	flights[j]--;
	if
	:: rx_inc[j] == inc[j] && got[j] > 0 -> got[j]--
	:: else
	fi;
	for (n : 0 .. 1) {
		if
		:: back[n] == STATUS && told_inc[2 * n + j] == inc[j] &&
		    told_got[2 * n + j] > 0 -> told_got[2 * n + j]--
		:: else
		fi
	}
}

/* The receiver's count on leg j, of word w. */
inline RECEIVED(w)
{
	if
	:: up[j] == 2 && (told_inc[2 * w + j] == inc[j] || BUG == 1) ->
		a = told_got[2 * w + j];
		assert(a <= flights[j] || BUG == 1);
		do
		:: a > 0 && flights[j] > 0 -> CONFIRM(); a--
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
	flights[l] = 0
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
		:: n < flights[l] && BUG != 2 ->
			s = flight[l * FLIGHTS + n] % 16;
			if
			:: s >= base && (acked & BIT(s)) == 0 -> lost = lost | BIT(s)
			:: else
			fi
		:: else
		fi
	}
	NO_FLIGHTS(l);
	fin_said[l] = (BUG == 7 && fin_said[l]);
	bye_due[l] = 0;
	UNSAY(l);
	DIAL(l)
}

/* Leg l is down for the receiver. */
inline RX_DOWN(l)
{
	rx_up[l] = 0; got[l] = 0; done_due[l] = 0;
	do
	:: len(fwd[l]) > 0 -> fwd[l]?kind,a,b
	:: else -> break
	od;
	a = 0
}

/* Frame s goes out on leg l as one more flight; f is 32 for a copy. */
inline SEND(l, f)
{
	assert(flights[l] < FLIGHTS);
	flight[l * FLIGHTS + flights[l]] = s + f;
	flights[l]++;
	if
	:: JOINED(l) -> fwd[l]!DATA,s,slot[s % WINDOW]
	:: else		/* into nothing */
	fi;
	if
	:: BUG == 5 -> ACKNOWLEDGE()
	:: else
	fi
}

/*
 * Flight k of the other leg may be copied to leg l.  The first that may be is,
 * when there is a hole that others wait behind, or nothing else to send.
 */
#define FLIGHT(l, k)	flight[(l) * FLIGHTS + (k)]
#define MAY_COPY(l, k)	(flights[OTHER(l)] > k && FLIGHT(OTHER(l), k) < 16 && \
	FLIGHT(OTHER(l), k) >= base && (acked & BIT(FLIGHT(OTHER(l), k))) == 0)
#define LULL(l)		(acked != 0 || next == limit || (next == FRAMES && fin_said[l]))

inline COPY(l, k)
{
	copies++;
	s = FLIGHT(OTHER(l), k);
	FLIGHT(OTHER(l), k) = s + 16;
	SEND(l, 32)
}

#define ROOM(l)		(!JOINED(l) || len(fwd[l]) < QUEUE)
#define SENDS(l)	(up[l] == 2 && !tx_done && ROOM(l))
#define IDLE(l)		(SENDS(l) && lost == 0)
#define SAYS(l)		(JOINED(l) && up[l] == 2 && !rx_over && back[l] == NONE && \
	(overtakes < OVERTAKES || back[OTHER(l)] == NONE))
/* The sender does not know it yet. */
#define NEWS		(cursor + WINDOW > limit || got[0] > 0 || got[1] > 0)

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
		RX_DOWN(l);
		rx_inc[l] = k; rx_up[l] = 1;
		backlog[l] = (BUG == 3 -> backlog[l] : backlog[l] & ~(BIT(k) - 1));
		done_due[l] = (rx_done && BUG != 6);
		if
		:: JOINED(l) -> up[l] = 2; bye_due[l] = tx_done	/* WELCOME */
		:: else
		fi
	:: else
	fi
}

/* The stream is complete: it is closed, and every leg has DONE to say. */
inline FINISH()
{
	if
	:: fin_seen && !rx_done && (cursor == FRAMES ||
	    (BUG == 4 && stored == BIT(FRAMES) - BIT(cursor))) ->
		rx_done = 1;
		done_due[0] = rx_up[0]; done_due[1] = rx_up[1]
	:: else
	fi
}

inline TAKE(l)
{
	fwd[l]?kind,a,b;
	if
	:: kind == DATA ->
		assert(a < cursor + WINDOW && a < FRAMES);
		got[l] = got[l] + JOINED(l);	/* otherwise nobody hears of it */
		if
		:: a >= cursor && (stored & BIT(a)) == 0 ->
			stored = stored | BIT(a);
			kept[a % WINDOW] = b
		:: else
		fi
	:: kind == FIN ->
		assert(a == FRAMES);
		fin_seen = 1;
		FINISH()
	:: kind == BYE ->
		assert(rx_done);
		rx_over = 1
	fi
}

inline SAY(l, what)
{
	overtakes = overtakes + (back[OTHER(l)] != NONE);
	back[l] = what;
	if
	:: what == STATUS ->
		told[l] = cursor;
		told_inc[2 * l] = rx_inc[0]; told_got[2 * l] = got[0];
		told_inc[2 * l + 1] = rx_inc[1]; told_got[2 * l + 1] = got[1]
	:: else
	fi
}

inline HEAR(l)
{
	if
	:: back[l] == STATUS ->
		assert(up[l] == 2);
		if
		:: !tx_done ->
			j = 0; RECEIVED(l);
			j = 1; RECEIVED(l);
			DELIVERED(told[l]);
			READ()
		:: else
		fi
	:: back[l] == DONE ->
		assert(end_ == FRAMES);
		assert(rx_done && cursor == FRAMES);
		if
		:: !tx_done ->
			tx_done = 1;
			bye_due[0] = (up[0] == 2); bye_due[1] = (up[1] == 2);
			/* The window is of no interest any more. */
			NO_FLIGHTS(0); NO_FLIGHTS(1); acked = 0; lost = 0
		:: else
		fi
	fi;
	UNSAY(l)
}

/* All that can happen to a leg, at both ends. */
proctype leg(byte l)
{
end:	do
	/* It dies, and the sender is the first to see it; or it sees it later. */
	:: d_step { up[l] != 0 && deaths[l] < DEATHS && !(rx_inc[l] == inc[l] && !rx_up[l]) ->
		deaths[l]++; LEG_DOWN(l) }
	:: d_step { up[l] != 0 && rx_inc[l] == inc[l] && !rx_up[l] -> LEG_DOWN(l) }
	/* So with the receiver. */
	:: d_step { JOINED(l) && deaths[l] < DEATHS -> deaths[l]++; RX_DOWN(l) }
	:: d_step { rx_up[l] && !JOINED(l) -> RX_DOWN(l) }
	/* The backlog is read in any order. */
	:: d_step { !rx_over && (backlog[l] & BIT(1)) != 0 -> ACCEPT(l, 1) }
	:: d_step { !rx_over && (backlog[l] & BIT(2)) != 0 -> ACCEPT(l, 2) }
	:: d_step { !rx_over && (backlog[l] & BIT(3)) != 0 -> ACCEPT(l, 3) }
	/* The sender sends what was lost, what is new, FIN, a copy; in the end BYE. */
	:: d_step { SENDS(l) && lost != 0 ->
		s = 0;
		do
		:: (lost & BIT(s)) == 0 -> s++
		:: else -> break
		od;
		lost = lost & ~BIT(s);
		SEND(l, 0) }
	:: d_step { IDLE(l) && next < end_ && next < limit -> s = next; next++; SEND(l, 0) }
	:: d_step { IDLE(l) && next == FRAMES && !fin_said[l] ->
		fin_said[l] = 1;
		if
		:: JOINED(l) -> fwd[l]!FIN,FRAMES,0
		:: else
		fi }
	:: d_step { IDLE(l) && copies < COPIES && LULL(l) && MAY_COPY(l, 0) -> COPY(l, 0) }
	:: d_step { IDLE(l) && copies < COPIES && LULL(l) && !MAY_COPY(l, 0) &&
	    MAY_COPY(l, 1) -> COPY(l, 1) }
	:: d_step { up[l] == 2 && bye_due[l] && ROOM(l) ->
		bye_due[l] = 0;
		if
		:: JOINED(l) -> fwd[l]!BYE,0,0
		:: else
		fi }
	/* The receiver reads; and says what is new, then its verdict. */
	:: d_step { rx_up[l] && !rx_over && len(fwd[l]) > 0 -> TAKE(l) }
	:: d_step { SAYS(l) && NEWS && !tx_done -> SAY(l, STATUS) }
	:: d_step { SAYS(l) && done_due[l] -> done_due[l] = 0; SAY(l, DONE) }
	/* The sender reads. */
	:: d_step { up[l] != 0 && back[l] != NONE -> HEAR(l) }
	od
}

/* What is not of a leg: the writer, and how it ends. */
init
{
	d_step {
		back[0] = NONE; back[1] = NONE;
		DIAL(0); DIAL(1);
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
		LEG_DOWN(0); LEG_DOWN(1);
		backlog[0] = 0; backlog[1] = 0 }
	/* BYE was lost, and the receiver has kept its verdict for long enough. */
	:: d_step { tx_over && rx_done && !rx_over && len(fwd[0]) == 0 && len(fwd[1]) == 0 ->
		rx_over = 1 }
	:: tx_over && rx_over -> break
	od
}
