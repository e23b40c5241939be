# viamillipede: RAID for TCP.  Works with GNU make and BSD make.
.POSIX:

CC = cc
CFLAGS = -O2 -g
STD = -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion
LDFLAGS =
LDLIBS = -lpthread

PREFIX = /usr/local
MANDIR = $(PREFIX)/share/man
DESTDIR =

OBJS = auth.o blame.o chaos.o child.o command.o crc32c.o digest.o entropy.o events.o \
	frame.o inflow.o listener.o lock.o log.o lookup.o monitor.o net.o options.o \
	order.o orders.o outflow.o pace.o path.o progress.o pulse.o ranges.o report.o rx.o \
	session.o sha256.o siphash.o sluice.o ssh.o stats.o tally.o tune.o tunnel.o tx.o \
	wake.o window.o worker.o viamillipede.o

# What the unit tests link: everything but main.
LIB = auth.o blame.o chaos.o child.o command.o crc32c.o digest.o entropy.o events.o \
	frame.o inflow.o listener.o lock.o log.o lookup.o monitor.o net.o options.o \
	order.o orders.o outflow.o pace.o path.o progress.o pulse.o ranges.o report.o rx.o \
	session.o sha256.o siphash.o sluice.o ssh.o stats.o tally.o tune.o tunnel.o tx.o \
	wake.o window.o worker.o

UNITS = build/unit_auth build/unit_blame build/unit_chaos build/unit_command \
	build/unit_crc32c build/unit_digest build/unit_events build/unit_frame build/unit_lock \
	build/unit_log build/unit_lookup build/unit_options build/unit_order build/unit_orders \
	build/unit_pace build/unit_path build/unit_progress build/unit_pulse build/unit_ranges \
	build/unit_report build/unit_sha256 build/unit_siphash \
	build/unit_sluice build/unit_stats build/unit_tune build/unit_window

TOOLS = build/wanem build/bench_source build/bench_sink build/bench_splice build/bench_copy \
	build/simulation $(CORPORA)

# The fuzz targets (tests/fuzz.h) without and with libFuzzer.
CORPORA = build/corpus_codec build/corpus_handshake build/corpus_session build/corpus_text
FUZZERS = build/fuzz_codec build/fuzz_handshake build/fuzz_session build/fuzz_text
FUZZ_CC = clang
FUZZ_FLAGS = -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
FUZZ_SECONDS = 60

all: viamillipede

viamillipede: $(OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJS) $(LDLIBS)

.SUFFIXES: .c .o
.c.o:
	$(CC) $(STD) $(WARN) $(CFLAGS) -c -o $@ $<

install: viamillipede
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1
	cp viamillipede $(DESTDIR)$(PREFIX)/bin/viamillipede
	chmod 755 $(DESTDIR)$(PREFIX)/bin/viamillipede
	cp viamillipede.1 $(DESTDIR)$(MANDIR)/man1/viamillipede.1
	chmod 644 $(DESTDIR)$(MANDIR)/man1/viamillipede.1
	mkdir -p $(DESTDIR)$(PREFIX)/share/viamillipede
	cp share/report-svg share/example.svg $(DESTDIR)$(PREFIX)/share/viamillipede/
	chmod 755 $(DESTDIR)$(PREFIX)/share/viamillipede/report-svg
	chmod 644 $(DESTDIR)$(PREFIX)/share/viamillipede/example.svg

demo: viamillipede
	tests/demo.sh

test: viamillipede $(UNITS) $(TOOLS)
	tests/run

test-long: viamillipede $(UNITS) $(TOOLS)
	build/simulation 1 100000
	tests/run tests/long/*.sh

# The same suite over programs built with a sanitizer, in a tree of their own.
test-asan:
	tests/other-build.sh asan '-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined'

test-tsan:
	tests/other-build.sh tsan '-O1 -g -fsanitize=thread'

# How many lines the suite runs, by gcov, in a tree of its own, too.
coverage:
	tests/coverage.sh

# What is found stays in build; what covers something new, in build/corpus.
fuzz: $(FUZZERS)
	tests/fuzz.sh $(FUZZ_SECONDS) $(FUZZERS)

bench: viamillipede $(TOOLS)
	tests/bench.py

bench-wan: viamillipede $(TOOLS)
	tests/bench_wan.py

bench-ssh: viamillipede $(TOOLS)
	tests/bench_ssh.sh

clean:
	rm -rf viamillipede *.o build

build:
	mkdir -p build

UNIT = mkdir -p build; $(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) -I. -Itests -o $@

build/unit_auth: tests/unit_auth.c tests/check.h $(LIB)
	$(UNIT) tests/unit_auth.c $(LIB) $(LDLIBS)
build/unit_blame: tests/unit_blame.c tests/check.h $(LIB)
	$(UNIT) tests/unit_blame.c $(LIB) $(LDLIBS)
build/unit_chaos: tests/unit_chaos.c tests/check.h $(LIB)
	$(UNIT) tests/unit_chaos.c $(LIB) $(LDLIBS)
build/unit_command: tests/unit_command.c tests/check.h $(LIB)
	$(UNIT) tests/unit_command.c $(LIB) $(LDLIBS)
build/unit_crc32c: tests/unit_crc32c.c tests/check.h $(LIB)
	$(UNIT) tests/unit_crc32c.c $(LIB) $(LDLIBS)
build/unit_digest: tests/unit_digest.c tests/check.h $(LIB)
	$(UNIT) tests/unit_digest.c $(LIB) $(LDLIBS)
build/unit_events: tests/unit_events.c tests/check.h $(LIB)
	$(UNIT) tests/unit_events.c $(LIB) $(LDLIBS)
build/unit_frame: tests/unit_frame.c tests/check.h $(LIB)
	$(UNIT) tests/unit_frame.c $(LIB) $(LDLIBS)
build/unit_lock: tests/unit_lock.c tests/check.h $(LIB)
	$(UNIT) tests/unit_lock.c $(LIB) $(LDLIBS)
build/unit_log: tests/unit_log.c tests/check.h $(LIB)
	$(UNIT) tests/unit_log.c $(LIB) $(LDLIBS)
build/unit_lookup: tests/unit_lookup.c tests/check.h $(LIB)
	$(UNIT) tests/unit_lookup.c $(LIB) $(LDLIBS)
build/unit_options: tests/unit_options.c tests/check.h $(LIB)
	$(UNIT) tests/unit_options.c $(LIB) $(LDLIBS)
build/unit_order: tests/unit_order.c tests/check.h $(LIB)
	$(UNIT) tests/unit_order.c $(LIB) $(LDLIBS)
build/unit_orders: tests/unit_orders.c tests/check.h $(LIB)
	$(UNIT) tests/unit_orders.c $(LIB) $(LDLIBS)
build/unit_pace: tests/unit_pace.c tests/check.h $(LIB)
	$(UNIT) tests/unit_pace.c $(LIB) $(LDLIBS)
build/unit_path: tests/unit_path.c tests/check.h $(LIB)
	$(UNIT) tests/unit_path.c $(LIB) $(LDLIBS)
build/unit_progress: tests/unit_progress.c tests/check.h $(LIB)
	$(UNIT) tests/unit_progress.c $(LIB) $(LDLIBS)
build/unit_pulse: tests/unit_pulse.c tests/check.h $(LIB)
	$(UNIT) tests/unit_pulse.c $(LIB) $(LDLIBS)
build/unit_ranges: tests/unit_ranges.c tests/check.h $(LIB)
	$(UNIT) tests/unit_ranges.c $(LIB) $(LDLIBS)
build/unit_report: tests/unit_report.c tests/check.h $(LIB)
	$(UNIT) tests/unit_report.c $(LIB) $(LDLIBS)
build/unit_sha256: tests/unit_sha256.c tests/check.h $(LIB)
	$(UNIT) tests/unit_sha256.c $(LIB) $(LDLIBS)
build/unit_siphash: tests/unit_siphash.c tests/check.h $(LIB)
	$(UNIT) tests/unit_siphash.c $(LIB) $(LDLIBS)
build/unit_sluice: tests/unit_sluice.c tests/check.h $(LIB)
	$(UNIT) tests/unit_sluice.c $(LIB) $(LDLIBS)
build/unit_stats: tests/unit_stats.c tests/check.h $(LIB)
	$(UNIT) tests/unit_stats.c $(LIB) $(LDLIBS)
build/unit_tune: tests/unit_tune.c tests/check.h $(LIB)
	$(UNIT) tests/unit_tune.c $(LIB) $(LDLIBS)
build/unit_window: tests/unit_window.c tests/check.h $(LIB)
	$(UNIT) tests/unit_window.c $(LIB) $(LDLIBS)

build/simulation: tests/simulation.c tests/check.h $(LIB)
	$(UNIT) tests/simulation.c $(LIB) $(LDLIBS)

FUZZ = mkdir -p build; $(FUZZ_CC) $(STD) $(WARN) $(FUZZ_FLAGS) $(LDFLAGS) -I. -Itests -o $@

CODEC = tests/fuzz_codec.c frame.c crc32c.c
CODEC_H = tests/fuzz.h frame.h crc32c.h
build/corpus_codec: $(CODEC) $(CODEC_H) tests/fuzz_main.c
	$(UNIT) tests/fuzz_main.c $(CODEC)
build/fuzz_codec: $(CODEC) $(CODEC_H)
	$(FUZZ) $(CODEC)

TEXT = tests/fuzz_text.c chaos.c entropy.c lock.c log.c options.c
TEXT_H = tests/fuzz.h chaos.h entropy.h lock.h log.h options.h
build/corpus_text: $(TEXT) $(TEXT_H) tests/fuzz_main.c
	$(UNIT) tests/fuzz_main.c $(TEXT) $(LDLIBS)
build/fuzz_text: $(TEXT) $(TEXT_H)
	$(FUZZ) $(TEXT) $(LDLIBS)

# Whole sessions, in a world of their own: from the sources, because the
# system's calls are replaced in them; but for those that are never called.
WORLD = -include tests/fuzz_calls.h tests/fuzz_world.c tests/fuzz_listener.c tests/fuzz_rx.c \
	tests/fuzz_tx.c tests/fuzz_worker.c auth.c blame.c chaos.c crc32c.c digest.c events.c \
	frame.c inflow.c order.c outflow.c pace.c path.c pulse.c ranges.c session.c sha256.c \
	siphash.c sluice.c tune.c window.c command.o options.o orders.o child.o ssh.o tunnel.o
WORLD_H = tests/fuzz.h tests/fuzz_calls.h tests/fuzz_inside.h tests/fuzz_world.h \
	tests/fuzz_world.c tests/fuzz_listener.c tests/fuzz_rx.c tests/fuzz_tx.c \
	tests/fuzz_worker.c $(LIB)
build/corpus_handshake: tests/fuzz_handshake.c tests/fuzz_main.c $(WORLD_H)
	$(UNIT) tests/fuzz_handshake.c tests/fuzz_main.c $(WORLD)
build/fuzz_handshake: tests/fuzz_handshake.c $(WORLD_H)
	$(FUZZ) tests/fuzz_handshake.c $(WORLD)
build/corpus_session: tests/fuzz_session.c tests/fuzz_main.c $(WORLD_H)
	$(UNIT) tests/fuzz_session.c tests/fuzz_main.c $(WORLD)
build/fuzz_session: tests/fuzz_session.c $(WORLD_H)
	$(FUZZ) tests/fuzz_session.c $(WORLD)

build/wanem: tests/wanem.c
	$(UNIT) tests/wanem.c $(LDLIBS)

build/bench_source: tests/bench_source.c
	$(UNIT) tests/bench_source.c $(LDLIBS)

build/bench_sink: tests/bench_sink.c
	$(UNIT) tests/bench_sink.c $(LDLIBS)

build/bench_splice: tests/bench_splice.c
	$(UNIT) tests/bench_splice.c $(LDLIBS)

build/bench_copy: tests/bench_copy.c
	$(UNIT) tests/bench_copy.c $(LDLIBS)

auth.o: auth.c auth.h frame.h lock.h sha256.h siphash.h log.h
blame.o: blame.c blame.h
chaos.o: chaos.c chaos.h entropy.h log.h lock.h
child.o: child.c child.h lock.h
command.o: command.c command.h lock.h log.h child.h wake.h
crc32c.o: crc32c.c crc32c.h
digest.o: digest.c digest.h
entropy.o: entropy.c entropy.h
events.o: events.c events.h lock.h net.h lookup.h
frame.o: frame.c frame.h crc32c.h
inflow.o: inflow.c inflow.h frame.h order.h siphash.h crc32c.h leg.h \
 auth.h lock.h sha256.h chaos.h net.h lookup.h outflow.h window.h \
 ranges.h pulse.h tunnel.h wake.h log.h rx.h blame.h sluice.h digest.h \
 worker.h
listener.o: listener.c listener.h net.h lookup.h auth.h frame.h lock.h \
 sha256.h siphash.h entropy.h log.h session.h chaos.h events.h leg.h \
 inflow.h order.h outflow.h window.h ranges.h pulse.h tunnel.h wake.h \
 options.h path.h
lock.o: lock.c lock.h log.h
log.o: log.c log.h lock.h
lookup.o: lookup.c lookup.h lock.h wake.h
monitor.o: monitor.c monitor.h lock.h options.h progress.h log.h stats.h \
 blame.h frame.h leg.h auth.h sha256.h siphash.h chaos.h inflow.h order.h \
 net.h lookup.h outflow.h window.h ranges.h pulse.h tunnel.h wake.h \
 session.h events.h path.h report.h tally.h
net.o: net.c net.h lookup.h lock.h child.h
options.o: options.c options.h
order.o: order.c order.h
orders.o: orders.c orders.h sha256.h
outflow.o: outflow.c outflow.h frame.h window.h ranges.h crc32c.h leg.h \
 auth.h lock.h sha256.h siphash.h chaos.h inflow.h order.h net.h lookup.h \
 pulse.h tunnel.h wake.h log.h tx.h blame.h worker.h
pace.o: pace.c pace.h
path.o: path.c path.h options.h
progress.o: progress.c progress.h log.h lock.h stats.h blame.h frame.h \
 leg.h auth.h sha256.h siphash.h chaos.h inflow.h order.h net.h lookup.h \
 outflow.h window.h ranges.h pulse.h tunnel.h wake.h session.h events.h \
 options.h path.h
pulse.o: pulse.c pulse.h frame.h
ranges.o: ranges.c ranges.h
report.o: report.c report.h events.h lock.h net.h lookup.h options.h \
 stats.h blame.h frame.h leg.h auth.h sha256.h siphash.h chaos.h inflow.h \
 order.h outflow.h window.h ranges.h pulse.h tunnel.h wake.h session.h \
 log.h path.h
rx.o: rx.c rx.h blame.h frame.h order.h sluice.h digest.h command.h leg.h \
 auth.h lock.h sha256.h siphash.h chaos.h inflow.h net.h lookup.h \
 outflow.h window.h ranges.h pulse.h tunnel.h wake.h log.h session.h \
 events.h options.h path.h
session.o: session.c session.h auth.h frame.h lock.h sha256.h siphash.h \
 chaos.h events.h net.h lookup.h leg.h inflow.h order.h outflow.h \
 window.h ranges.h pulse.h tunnel.h wake.h log.h options.h path.h \
 command.h entropy.h rx.h blame.h sluice.h digest.h ssh.h orders.h tx.h \
 worker.h
sha256.o: sha256.c sha256.h
siphash.o: siphash.c sha256.h siphash.h
sluice.o: sluice.c sluice.h digest.h child.h net.h lookup.h
ssh.o: ssh.c ssh.h options.h orders.h wake.h entropy.h lock.h log.h net.h \
 lookup.h sha256.h child.h
stats.o: stats.c stats.h blame.h frame.h leg.h auth.h lock.h sha256.h \
 siphash.h chaos.h inflow.h order.h net.h lookup.h outflow.h window.h \
 ranges.h pulse.h tunnel.h wake.h session.h events.h log.h options.h \
 path.h rx.h sluice.h digest.h tx.h
tally.o: tally.c tally.h options.h stats.h blame.h frame.h leg.h auth.h \
 lock.h sha256.h siphash.h chaos.h inflow.h order.h net.h lookup.h \
 outflow.h window.h ranges.h pulse.h tunnel.h wake.h session.h events.h \
 log.h path.h
tune.o: tune.c tune.h
tunnel.o: tunnel.c tunnel.h net.h lookup.h lock.h child.h
tx.o: tx.c tx.h blame.h frame.h window.h ranges.h command.h digest.h \
 leg.h auth.h lock.h sha256.h siphash.h chaos.h inflow.h order.h net.h \
 lookup.h outflow.h pulse.h tunnel.h wake.h log.h pace.h session.h \
 events.h options.h path.h tune.h
viamillipede.o: viamillipede.c auth.h frame.h lock.h sha256.h siphash.h \
 chaos.h command.h listener.h net.h lookup.h log.h monitor.h options.h \
 progress.h stats.h blame.h leg.h inflow.h order.h outflow.h window.h \
 ranges.h pulse.h tunnel.h wake.h session.h events.h path.h report.h rx.h \
 sluice.h digest.h ssh.h orders.h tx.h worker.h
wake.o: wake.c wake.h
window.o: window.c window.h frame.h ranges.h
worker.o: worker.c worker.h frame.h leg.h auth.h lock.h sha256.h \
 siphash.h chaos.h inflow.h order.h net.h lookup.h outflow.h window.h \
 ranges.h pulse.h tunnel.h wake.h entropy.h log.h rx.h blame.h sluice.h \
 digest.h session.h events.h options.h path.h tx.h
