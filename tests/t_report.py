"""Checks a report: that each line of it is an object of JSON with what belongs
there, in an order that can be.

usage: t_report.py FILE [EXPRESSION ...]

Each EXPRESSION is evaluated with: events (a list of all objects), of (events of
a kind), start, end, and must be true. A message on standard error and status 1
say what is wrong.
"""

import json
import re
import sys

NUMBER, TEXT, TRUTH = (int, float), str, bool
TOTALS = {"bytes": int, "mean": int, "frames": int, "resent": int,
          "resent_bytes": int, "losses": int, "outages": int}
WAITED = {"waited": dict, "bottleneck": TEXT}
FIELDS = {
    "start": {"version": TEXT, "role": TEXT, "interval": NUMBER,
              "window": int},
    "interval": dict(TOTALS, seconds=NUMBER, state=TEXT, rate=int,
                     legs_up=int, window=int, window_used=int, paths=list,
                     legs=list,
                     **WAITED),
    "leg": {"leg": int, "peer": TEXT, "state": TEXT, "incarnation": int},
    "outage": {"began": NUMBER, "seconds": NUMBER, "over": TRUTH},
    "end": dict(TOTALS, verdict=TEXT, status=int, legs=int,
                longest_outage=NUMBER, left_out=int, **WAITED),
}
PATH = {"path": int, "limit": TEXT, "wanted": int, "congestion": TEXT}
LIMITS = ("unknown", "application", "receiver", "buffer", "path", "loss")
LEG = {"leg": int, "state": TEXT, "frames": int, "bytes": int, "rate": int,
       "resent": int, "redials": int, "rtt_us": int, "retransmissions": int}


def has(what, fields, line):
    for name, kind in fields.items():
        assert isinstance(what.get(name), kind), "%s in %s" % (name, line)


def check(event, line):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                        event["time"]), line
    has(event, {"event": TEXT, "elapsed": NUMBER}, line)
    has(event, FIELDS[event["event"]], line)
    if "waited" in event:
        assert sorted(event["waited"]) == ["consumer", "network", "source"]
        shares = list(event["waited"].values())
        assert all(0 <= s <= 1 for s in shares), line
        assert event["bottleneck"] in event["waited"], line
    for path in event["paths"] if event["event"] == "interval" else ():
        has(path, PATH, line)
        assert path["limit"] in LIMITS, line
        assert path["congestion"] in ("system", "bbr"), line
    for leg in event["legs"] if event["event"] == "interval" else ():
        has(leg, LEG, line)
        assert ("path" in leg) != ("peer" in leg), line


def main():
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    assert data.endswith(b"\n"), "the last line is not whole"
    assert all(c == 10 or 32 <= c < 127 for c in data), "not ASCII"
    events = []
    for line in data.decode("ascii").splitlines():
        event = json.loads(line)
        check(event, line)
        events.append(event)

    def of(kind):
        return [e for e in events if e["event"] == kind]

    assert events[0]["event"] == "start" and len(of("start")) == 1
    assert len(of("end")) <= 1
    elapsed = [e["elapsed"] for e in of("interval")]
    assert elapsed == sorted(elapsed), elapsed
    totals = [e["bytes"] for e in of("interval")]
    assert totals == sorted(totals), totals
    names = {"events": events, "of": of, "start": events[0],
             "end": events[-1], "json": json}
    for expression in sys.argv[2:]:
        assert eval(expression, names), "not true: " + expression


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, ValueError, KeyError) as e:
        sys.exit("%s: %s: %s" % (sys.argv[1], type(e).__name__, e))
