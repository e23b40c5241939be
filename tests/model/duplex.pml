/*
 * How a session ends where both ends send (duplex, run), as a model for Spin, searched
 * exhaustively by tests/870-model.sh.  What the streams do is session.pml's matter: here
 * each end's consumer has at some moment all that came.
 *
 * Two ends, two legs, a queue each way.  A leg may die at any moment, DEATHS times, with
 * what is on its way; it is dialled again as long as neither end has gone.
 *
 * What is proved, within these bounds:
 *  1. An end has the outcome "done" only when both consumers have all: OUTCOME.
 *  2. A BYE comes only to an end that has it, so none is "too early": the assertion in
 *     HEAR.  It follows a DONE on its leg, whenever that leg came up.
 *  3. An end that goes leaves a peer that has the outcome, or, if it is the caller of
 *     run, which nobody waits for, has it itself: the assertion in GO.
 *  4. Both get there: a state where nothing can go on before one end has gone is an
 *     invalid end state.
 *
 * Which code each part mirrors:
 *	TAKEN		outcome.c half_done
 *	OUTCOME		outcome.c done_locked, under the same lock as what it follows from
 *	SAY		message.c message_outcome: DONE before BYE; worker.c react
 *	JOIN		leg.c leg_up: what is due is said anew
 *	HEAR		outcome.c outcome_peer_done, outcome_peer_bye
 *	GO		supervise.c closed_locked
 *
 * BUG, from 1 to 3, seeds a bug that has to be found:
 *	1	BYE is said when the peer's DONE has come, whatever the own consumer has
 *	2	DONE is not said again on a leg that joins later
 *	3	an end goes when it has the outcome
 */
#ifndef DEATHS
#define DEATHS	2
#endif
#ifndef BUG
#define BUG	0
#endif
#define LEGS	2
#define OTHER	(1 - me)

mtype = { DONE, BYE }

/* [2 * leg + to] */
chan queue[2 * LEGS] = [4] of { mtype }
bool alive[LEGS];
byte deaths[LEGS];
bool taken[2], confirmed[2], outcome[2], gone[2];
/* What the leg has to say still, of each end: PENDING_DONE and PENDING_BYE. */
bool done_due[2 * LEGS], bye_due[2 * LEGS];

/* From me on a leg. */
#define OUT(leg)	(2 * (leg) + 1 - me)
#define IN(leg)		(2 * (leg) + me)

inline OUTCOME()
{
	if
	:: confirmed[me] && !outcome[me] && (taken[me] || BUG == 1) ->
		outcome[me] = true;
		assert(taken[0] && taken[1]);
		bye_due[OUT(0)] = true;
		bye_due[OUT(1)] = true
	:: else -> skip
	fi
}

inline SAY(n)
{
	if
	:: done_due[OUT(n)] -> done_due[OUT(n)] = false; queue[OUT(n)]!DONE
	:: else -> skip
	fi;
	if
	:: bye_due[OUT(n)] -> bye_due[OUT(n)] = false; queue[OUT(n)]!BYE
	:: else -> skip
	fi
}

/* Its last words leave before it does. */
inline GO()
{
	assert(outcome[me]);
#ifdef RUN
	assert(me == 0 || outcome[OTHER]);
#else
	assert(outcome[OTHER]);
#endif
	if
	:: alive[0] -> SAY(0)
	:: else -> skip
	fi;
	if
	:: alive[1] -> SAY(1)
	:: else -> skip
	fi;
	gone[me] = true
}

inline HEAR(n)
{
	if
	:: queue[IN(n)]?DONE ->
		assert(taken[OTHER]);
		confirmed[me] = true;
		OUTCOME()
	:: queue[IN(n)]?BYE ->
		assert(outcome[me]);
		GO()
	fi
}

proctype one_end(bit me)
{
	do
	:: atomic { !taken[me] ->	/* TAKEN */
		taken[me] = true;
		done_due[OUT(0)] = true;
		done_due[OUT(1)] = true;
		OUTCOME() }
	:: atomic { alive[0] && (done_due[OUT(0)] || bye_due[OUT(0)]) -> SAY(0) }
	:: atomic { alive[1] && (done_due[OUT(1)] || bye_due[OUT(1)]) -> SAY(1) }
	:: atomic { !gone[me] && nempty(queue[IN(0)]) -> HEAR(0) }
	:: atomic { !gone[me] && nempty(queue[IN(1)]) -> HEAR(1) }
#ifdef RUN
	:: atomic { me == 0 && outcome[me] && !gone[me] -> GO() }
	/* Nobody waits for the outcome of the other end. */
	:: me == 1 && gone[OTHER] -> break
#endif
	:: atomic { BUG == 3 && outcome[me] && !gone[me] -> GO() }
	:: gone[me] -> break
	/* `linger' is over: what it has, it keeps no longer. */
	:: gone[OTHER] && outcome[me] && empty(queue[IN(0)]) && empty(queue[IN(1)]) -> break
	od
}

/* JOIN: what is due is said anew. */
inline JOIN(me)
{
	done_due[OUT(n)] = taken[me] && (BUG != 2 || deaths[n] == 0);
	bye_due[OUT(n)] = outcome[me]
}

inline EMPTY(k)
{
	do
	:: len(queue[k]) > 0 -> queue[k]?_
	:: len(queue[k]) == 0 -> break
	od
}

proctype leg(byte n)
{
end:	do
	:: atomic { alive[n] && deaths[n] < DEATHS ->
		alive[n] = false;
		deaths[n]++;
		EMPTY(2 * n);
		EMPTY(2 * n + 1) }
	:: atomic { !alive[n] && !gone[0] && !gone[1] ->
		JOIN(0);
		JOIN(1);
		alive[n] = true }
	od
}

init
{
	atomic {
		run one_end(0);
		run one_end(1);
		run leg(0);
		run leg(1)
	}
}
