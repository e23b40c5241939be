/*
 * The session protocol as a model for Spin, searched exhaustively by
 * tests/87-model.sh: `spin -a session.pml; cc -DSAFETY -o pan pan.c; ./pan`.
 *
 * A sender and a receiver, LEGS legs, a stream of FRAMES frames, a window of
 * WINDOW.  A leg's connection is a queue in each direction.  It may die at any
 * moment, DEATHS times for each leg: one end is the first to see that, loses
 * what it has not read, and writes and reads no more; the other end sees it some
 * time later and until then reads what it has and writes into nothing.  Each
 * death is followed by a redial with the next incarnation, which may overtake
 * what is left of its older self, in the receiver's backlog, too.  Frames are cut
 * for whatever leg there is, again when they were lost, and copied to another
 * leg COPIES times, at any moment: time does not exist here, so whatever a timer
 * may do it may do at once.
 *
 * What is proved, within these bounds:
 *  1. Each frame is written once, in order, and is what was read: the assertion
 *     in WRITE.  Frames come from a buffer of WINDOW slots that are used again,
 *     on both sides, so a slot that is given up too early shows.
 *  2. Nothing is sent beyond the credit, nothing is acknowledged that was not
 *     sent, and no BYE comes before DONE was said: the assertions in TAKE.
 *  3. The sender ends with 0 only when all was written and closed: GOT_DONE.
 *  4. Both ends always come to their end, from every state: the process below
 *     ends only when both have, a state in which nothing can go on is an
 *     invalid end state for Spin, and there are no cycles (`pan' built with -DNP
 *     and run with -l finds none), so every way leads there.
 *
 * Which code each part mirrors (a step is what one thread does under one lock):
 *	ACKNOWLEDGE, RECEIVED, DELIVERED, LEG_DOWN, LEG_UP, SEND	window.c
 *		of the same names: acknowledge, window_received, window_delivered,
 *		window_leg_down, window_leg_up, window_take with take_lost,
 *		take_fresh, late_flight; credit as in fresh
 *	READ	tx.c reader, window_room, window_fill, window_eof
 *	DIAL, GOT_WELCOME	session.c session_hello (the first greeting alone, the
 *		next incarnation), session_welcome, leg.h's states of a caller
 *	ACCEPT	session.c hand_over_locked: only a higher incarnation is taken
 *	SWITCH	worker.c called, take_pending, serve: WELCOME and a full status;
 *		session_leg_up: what is due, DONE for instance, is said again
 *	TAKE	inflow.c, order.c order_admit, order_begin, order_store; rx.c rx_fin
 *	WRITE, FINISH	rx.c writer, finish; session.c session_done
 *	SAY_STATUS	rx.c rx_status: cumulative, by leg and incarnation
 *	GOT_DONE, SAY_BYE, and the ends	session.c session_peer_done,
 *		session_peer_bye, closed_locked
 *
 * What is not here: frames of several octets and the turn at the cursor
 * (tests/simulation.c drives order.c through those), FAIL, timeouts, another
 * receiver, and which leg is preferred: here any may take what there is.
 *
 * BUG, from 1 to 7, seeds a bug that has to be found; see below.
 */
#ifndef FRAMES
#define FRAMES	4
#endif
#ifndef WINDOW
#define WINDOW	3
#endif
#ifndef DEATHS
#define DEATHS	2
#endif
#ifndef COPIES
#define COPIES	1
#endif
#ifndef QUEUE
#define QUEUE	2	/* messages in one direction of a connection */
#endif
#ifndef BUG
#define BUG	0
#endif
#define LEGS	2
#define FLIGHTS	5	/* on one leg; asserted */

/*
 * BUG	what is wrong
 * 1	an acknowledgement counts whatever the incarnation
 * 2	what a dead leg held is not sent again
 * 3	an older incarnation replaces a newer one
 * 4	DONE is said when all has arrived, before it is written
 * 5	a slot is given up when its frame is sent
 * 6	DONE is not said again on a leg that joins later
 * 7	FIN is said once, not once on each incarnation
 */

mtype = { DATA, FIN, BYE, WELCOME, STATUS, DONE };

chan fwd[LEGS] = [QUEUE] of { mtype, byte, byte };
chan bwd[LEGS] = [1] of { mtype, byte, byte, byte };
byte deaths[LEGS];

/* The sender. */
byte base, next, end_, limit, delivered;
byte acked, lost;		/* bits by frame */
byte slot[WINDOW];		/* what was read */
byte up[LEGS];			/* 0 parked, 1 greeting, 2 up */
byte inc[LEGS];			/* incarnation of the newest dial */
byte cut[LEGS], confirmed[LEGS];	/* frames, on this incarnation */
bool fin_said[LEGS];
byte flight[LEGS * FLIGHTS];	/* frame, +16 when it was copied, +32 when a copy */
byte flights[LEGS];
byte copies;
bool bound, tx_done, tx_over;
bool bye_due[LEGS];

/* The receiver. */
byte backlog[LEGS];		/* bits by incarnation: HELLOs that nobody took yet */
byte rx_inc[LEGS];		/* newest incarnation that was accepted */
bool rx_up[LEGS];
byte received[LEGS];		/* frames, on this incarnation */
bool news[LEGS], done_due[LEGS];
byte cursor;
byte stored;			/* bits by frame */
byte kept[WINDOW];
bool fin_seen, rx_done, rx_over;

/* Of one step only, so no part of a state. */
hidden byte j, s, n;
hidden mtype kind;
hidden byte a, b, c;

#define BIT(x)		(1 << (x))
/* Each end of a leg's newest connection is still there for the other. */
#define JOINED(l)	(rx_up[l] && rx_inc[l] == inc[l])

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

/* The receiver's count on leg j: incarnation and frames in v. */
inline RECEIVED(v)
{
	if
	:: up[j] == 2 && (v / 16 == inc[j] || BUG == 1) ->
		assert(v % 16 <= cut[j] || BUG == 1);
		do
		:: confirmed[j] < v % 16 && flights[j] > 0 ->
			s = flight[j * FLIGHTS] % 16;
			ACKNOWLEDGE();
			confirmed[j]++;
			flights[j]--;
			for (n : 0 .. FLIGHTS - 2) {
				flight[j * FLIGHTS + n] = flight[j * FLIGHTS + n + 1]
			}
			flight[j * FLIGHTS + FLIGHTS - 1] = 0
		:: else -> break
		od
	:: else
	fi
}

inline DELIVERED(v)
{
	assert(v <= next);
	do
	:: delivered < v ->
		s = delivered;
		ACKNOWLEDGE();
		delivered++
	:: else -> break
	od;
	if
	:: v + WINDOW > limit -> limit = v + WINDOW
	:: else
	fi
}

/* Leg l is down for the sender: what it held and is not acknowledged is lost. */
inline LEG_DOWN(l)
{
	for (n : 0 .. FLIGHTS - 1) {
		if
		:: n < flights[l] ->
			s = flight[l * FLIGHTS + n] % 16;
			if
			:: s >= base && (acked & BIT(s)) == 0 && BUG != 2 ->
				lost = lost | BIT(s)
			:: else
			fi
		:: else
		fi;
		flight[l * FLIGHTS + n] = 0
	}
	flights[l] = 0; cut[l] = 0; confirmed[l] = 0;
	fin_said[l] = (BUG == 7 && fin_said[l]);
	up[l] = 0; bye_due[l] = 0;
	do
	:: len(bwd[l]) > 0 -> bwd[l]?kind,a,b,c
	:: else -> break
	od;
	skip
}

/* Leg l is down for the receiver. */
inline RX_DOWN(l)
{
	rx_up[l] = 0; received[l] = 0; news[l] = 0; done_due[l] = 0;
	do
	:: len(fwd[l]) > 0 -> fwd[l]?kind,a,b
	:: else -> break
	od;
	skip
}

/* Frame s goes out on leg l as one more flight; f marks a copy. */
inline SEND(l, f)
{
	assert(flights[l] < FLIGHTS);
	flight[l * FLIGHTS + flights[l]] = s + f;
	flights[l]++;
	cut[l]++;
	if
	:: JOINED(l) -> fwd[l]!DATA,s,slot[s % WINDOW]
	:: else		/* into nothing */
	fi;
	if
	:: BUG == 5 -> ACKNOWLEDGE()
	:: else
	fi
}

/* There is a flight of the other leg that may be copied to leg l: as j, s. */
#define OTHER(l)	(1 - (l))
#define MAY_COPY(l, k)	(flights[OTHER(l)] > k && flight[OTHER(l) * FLIGHTS + k] < 16 && \
	flight[OTHER(l) * FLIGHTS + k] >= base && \
	(acked & BIT(flight[OTHER(l) * FLIGHTS + k])) == 0)

inline COPY(l, k)
{
	copies++;
	s = flight[OTHER(l) * FLIGHTS + k];
	flight[OTHER(l) * FLIGHTS + k] = s + 16;
	SEND(l, 32)
}

#define ROOM(l)		(!JOINED(l) || nfull(fwd[l]))
#define SENDS(l)	(up[l] == 2 && !tx_done && ROOM(l))
#define IDLE(l)		(SENDS(l) && lost == 0)
/* What the receiver says on this connection is heard by somebody. */
#define HEARD(l)	(up[l] != 0 && rx_inc[l] == inc[l])
#define SAYS(l)		(rx_up[l] && !rx_over && (!HEARD(l) || empty(bwd[l])))
#define NEWS()		news[0] = rx_up[0]; news[1] = rx_up[1]

/* The source never keeps anybody waiting: what is not sent yet may as well not be read. */
inline READ()
{
	do
	:: end_ < FRAMES && end_ < base + WINDOW ->
		slot[end_ % WINDOW] = end_;
		end_++
	:: else -> break
	od;
	skip
}

/* HELLO of incarnation k is read, and the connection is the leg's if it is new. */
inline ACCEPT(l, k)
{
	backlog[l] = backlog[l] & ~BIT(k);
	if
	:: k > rx_inc[l] || BUG == 3 ->
		RX_DOWN(l);
		rx_inc[l] = k; rx_up[l] = 1;
		news[l] = 1; done_due[l] = (rx_done && BUG != 6);
		if
		:: HEARD(l) -> bwd[l]!WELCOME,0,0,0
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
		received[l]++;
		NEWS();
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

inline HEAR(l)
{
	bwd[l]?kind,a,b,c;
	if
	:: kind == WELCOME ->		/* GOT_WELCOME */
		assert(up[l] == 1);
		up[l] = 2; bound = 1; bye_due[l] = tx_done
	:: kind == STATUS ->
		assert(up[l] == 2);
		j = 0; RECEIVED(b);
		j = 1; RECEIVED(c);
		DELIVERED(a);
		READ()
	:: kind == DONE ->		/* GOT_DONE */
		assert(end_ == FRAMES && a == FRAMES);
		assert(rx_done && cursor == FRAMES);
		if
		:: !tx_done -> bye_due[0] = (up[0] == 2); bye_due[1] = (up[1] == 2)
		:: else
		fi;
		tx_done = 1
	fi
}

/* All that can happen to a leg, at both ends. */
proctype leg(byte l)
{
end:	do
	/* DIAL */
	:: d_step { up[l] == 0 && !tx_done && inc[l] <= DEATHS &&
	    (bound || up[OTHER(l)] != 1) ->
		inc[l]++;
		backlog[l] = backlog[l] | BIT(inc[l]);
		up[l] = 1 }
	/* It dies, and the sender is first to see it; or sees that the other did. */
	:: d_step { up[l] != 0 && deaths[l] < DEATHS &&
	    !(rx_inc[l] == inc[l] && !rx_up[l]) -> deaths[l]++; LEG_DOWN(l) }
	:: d_step { up[l] != 0 && rx_inc[l] == inc[l] && !rx_up[l] -> LEG_DOWN(l) }
	/* It dies, and the receiver is first to see it; or sees that the other did. */
	:: d_step { JOINED(l) && up[l] != 0 && deaths[l] < DEATHS -> deaths[l]++; RX_DOWN(l) }
	:: d_step { rx_up[l] && (up[l] == 0 || rx_inc[l] != inc[l]) -> RX_DOWN(l) }
	/* The backlog is read in any order. */
	:: d_step { !rx_over && (backlog[l] & BIT(1)) != 0 -> ACCEPT(l, 1) }
	:: d_step { !rx_over && (backlog[l] & BIT(2)) != 0 -> ACCEPT(l, 2) }
	:: d_step { !rx_over && (backlog[l] & BIT(3)) != 0 -> ACCEPT(l, 3) }
	/* The sender sends what was lost, what is new, FIN, copies. */
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
	:: d_step { IDLE(l) && copies < COPIES && MAY_COPY(l, 0) -> COPY(l, 0) }
	:: d_step { IDLE(l) && copies < COPIES && MAY_COPY(l, 1) -> COPY(l, 1) }
	:: d_step { up[l] == 2 && bye_due[l] && ROOM(l) ->	/* SAY_BYE */
		bye_due[l] = 0;
		if
		:: JOINED(l) -> fwd[l]!BYE,0,0
		:: else
		fi }
	/* The receiver reads, and speaks. */
	:: d_step { rx_up[l] && !rx_over && nempty(fwd[l]) -> TAKE(l) }
	:: d_step { SAYS(l) && news[l] ->		/* SAY_STATUS */
		news[l] = 0;
		if
		:: HEARD(l) -> bwd[l]!STATUS,cursor,rx_inc[0] * 16 + received[0],
		    rx_inc[1] * 16 + received[1]
		:: else
		fi }
	:: d_step { SAYS(l) && !news[l] && done_due[l] ->
		done_due[l] = 0;
		if
		:: HEARD(l) -> bwd[l]!DONE,FRAMES,0,0
		:: else
		fi }
	/* The sender reads. */
	:: d_step { up[l] != 0 && nempty(bwd[l]) -> HEAR(l) }
	od
}

/* What is not of a leg: the writer, and how it ends. */
init
{
	d_step { READ() }
	run leg(0);
	run leg(1);
	do
	:: d_step { (stored & BIT(cursor)) != 0 ->		/* WRITE */
		assert(kept[cursor % WINDOW] == cursor);
		stored = stored & ~BIT(cursor);
		cursor++;
		NEWS();
		FINISH() }
	/* The sender's farewell is over, whatever of it was said; so are its legs. */
	:: d_step { tx_done && !tx_over ->
		tx_over = 1;
		LEG_DOWN(0); LEG_DOWN(1);
		backlog[0] = 0; backlog[1] = 0 }
	/* BYE was lost, and the receiver has kept its verdict for long enough. */
	:: d_step { tx_over && rx_done && !rx_over && empty(fwd[0]) && empty(fwd[1]) ->
		rx_over = 1 }
	:: tx_over && rx_over -> break
	od
}
