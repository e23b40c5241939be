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

# Every source but main's, once each: FRAMES and WORDS are what fuzz_codec and
# fuzz_text run, WORLD what runs in the world that the other fuzzers make.
FRAMES = frame.c crypto/crc32c.c
WORDS = chaos.c options.c
WORLD = $(FRAMES) $(WORDS) admit.c dial.c fault.c half.c handshake.c inflow.c key.c leg.c \
	message.c outcome.c outflow.c session.c state.c core/bottleneck.c core/control.c \
	core/delivery_rate.c core/leg_count.c core/limit.c core/liveness.c core/path.c \
	core/ranges.c core/reassembly.c core/rtt.c core/window.c crypto/channel.c crypto/digest.c \
	crypto/sha256.c report/events.c sys/staging.c
TOLD = crypto/entropy.c sys/clock.c sys/die.c sys/lock.c sys/log.c sys/thread.c
CRYPTO = crypto/aead.c crypto/aesgcm.c crypto/aesgcm_arm.c crypto/aesgcm_part.c \
	crypto/aesgcm_x86.c crypto/chacha20.c crypto/chacha20_x86.c crypto/chacha20poly1305.c \
	crypto/cpu.c crypto/hkdf.c crypto/noise.c crypto/poly1305.c crypto/poly1305_x86.c \
	crypto/secret.c crypto/x25519.c
SRCS = $(WORLD) $(TOLD) $(CRYPTO) command.c conn.c greeting.c listener.c mux.c outbox.c rx.c \
	supervise.c target.c tx.c worker.c core/record.c core/streams.c \
	report/monitor.c report/progress.c report/report.c report/stats.c report/summary.c \
	ssh/bootstrap.c ssh/line.c ssh/millipedesh.c ssh/ssh.c ssh/tunnel.c sys/child.c \
	sys/guardian.c sys/lookup.c sys/memory.c sys/net.c sys/poller.c sys/wake.c
OBJS = $(SRCS:.c=.o)
LIB = build/lib.a

# Of each there is tests/NAME.c; unit_forged is built otherwise.
UNITS != ls tests/unit_*.c | sed -e '/unit_forged/d' -e 's/^tests/build/' -e 's/\.c$$//'
BENCHED = build/bench_source build/bench_sink build/bench_splice build/bench_copy
ALONE = build/wanem build/t_far build/t_run build/t_sockets build/t_source build/t_wait $(BENCHED)

# The fuzz targets (tests/fuzz.h) with libFuzzer, and without as what replays a corpus.
FUZZERS = build/fuzz_codec build/fuzz_text build/fuzz_handshake build/fuzz_session
CORPORA = build/corpus_codec build/corpus_text build/corpus_handshake build/corpus_session
FUZZ_CC = clang
UNDEFINED = undefined -fno-sanitize-recover=undefined
FUZZ_FLAGS = -O1 -g -fsanitize=fuzzer,address,$(UNDEFINED)
FUZZ_SECONDS = 60

# What the tests need beside the program and the unit tests.
TOOLS = $(ALONE) $(HASTY) build/simulation build/bench_crypto build/unit_forged $(CORPORA)

.PHONY: all install demo test test-long test-asan test-tsan coverage fuzz bench bench-wan \
	bench-ssh bench-streams clean deps

all: viamillipede
viamillipede: viamillipede.o $(OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ viamillipede.o $(OBJS) $(LDLIBS)

.SUFFIXES:
.SUFFIXES: .c .o
.c.o:
	$(CC) $(STD) $(WARN) $(CFLAGS) -I. -c -o $@ $<

$(LIB): $(OBJS)
	mkdir -p build; rm -f $@; $(AR) rc $@ $(OBJS)

TESTED = mkdir -p build; $(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) -I. -Itests -o $@
$(UNITS) build/simulation build/bench_crypto: $(LIB)
	$(TESTED) tests/$(@F).c $(LIB) $(LDLIBS)
# The program with frames' keys that are replaced, and numbers that end, early.
HASTY = build/viamillipede-rekeys build/viamillipede-worn
$(HASTY): viamillipede.o $(LIB)
build/viamillipede-rekeys:
	$(TESTED) -DCHANNEL_FRAMES=10 viamillipede.o crypto/channel.c $(LIB) $(LDLIBS)
build/viamillipede-worn:
	$(TESTED) -DCHANNEL_FRAMES=10 -DCHANNEL_FIRST=UINT64_MAX-200 viamillipede.o \
		crypto/channel.c $(LIB) $(LDLIBS)
$(ALONE):
	$(TESTED) tests/$(@F).c $(LDLIBS)

# From the sources, because a fuzzer wants them in a form of its own, and its
# world replaces the system's calls in them; what is never called, from LIB.
FUZZED = mkdir -p build; $(FUZZ_CC) $(STD) $(WARN) $(FUZZ_FLAGS) $(LDFLAGS) -I. -Itests -o $@
PLAIN = $(FRAMES) $(WORDS) $(TOLD) $(LIB) $(LDLIBS)
LESS = -DCHANNEL_FRAMES=5 -DINFLOW_PIECE=70 -DOUTFLOW_PIECE=100
INSIDE = $(LESS) -include tests/fuzz_calls.h tests/fuzz_world.c tests/fuzz_listener.c \
	tests/fuzz_rx.c tests/fuzz_tx.c tests/fuzz_worker.c $(WORLD) $(LIB) $(LDLIBS)
TARGET = tests/`echo $(@F) | sed 's/^[a-z]*/fuzz/'`.c

$(CORPORA) $(FUZZERS) build/unit_forged: $(LIB) tests/fuzz*.[ch]
build/corpus_codec build/corpus_text:
	$(TESTED) $(TARGET) tests/fuzz_main.c $(PLAIN)
build/fuzz_codec build/fuzz_text:
	$(FUZZED) $(TARGET) $(PLAIN)
build/corpus_handshake build/corpus_session:
	$(TESTED) $(TARGET) tests/fuzz_main.c $(INSIDE)
build/unit_forged:
	$(TESTED) tests/$(@F).c $(INSIDE)
build/fuzz_handshake build/fuzz_session:
	$(FUZZED) $(TARGET) $(INSIDE)

# What includes what, as the compiler says it: again when an #include or a file is new.
DEPEND = $(CC) $(STD) -I. -Itests -MM -MT
deps:
	{ for f in viamillipede.c $(SRCS); do $(DEPEND) $${f%.c}.o: $$f || exit; done; \
	for t in $(UNITS) $(ALONE) build/simulation build/bench_crypto build/unit_forged; do \
		$(DEPEND) $$t: tests/$${t#build/}.c || exit; done; } >deps.new
	tr ' \\' '\n\n' <deps.new | sed -e 's/::$$/:/' -e 's,^tests/../,,' | \
	    awk '/:$$/ { to = $$1 } /[ch]$$/ { print to, $$1 }' | LC_ALL=C sort -u >deps.mk
	rm deps.new
include deps.mk

install: viamillipede
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/viamillipede \
	    $(DESTDIR)$(MANDIR)/man1
	cp viamillipede $(DESTDIR)$(PREFIX)/bin/
	cd $(DESTDIR)$(PREFIX)/bin && ln -sf viamillipede millipedesh && chmod 755 viamillipede
	cp share/report-svg share/mbuffer share/example.svg $(DESTDIR)$(PREFIX)/share/viamillipede/
	cp viamillipede.1 $(DESTDIR)$(MANDIR)/man1/
	cd $(DESTDIR)$(PREFIX)/share/viamillipede && chmod a+rX,u+w * && ln -sf mbuffer socat
	chmod 644 $(DESTDIR)$(MANDIR)/man1/viamillipede.1

demo: viamillipede; tests/demo.sh
test: viamillipede $(UNITS) $(TOOLS)
	tests/run
test-long: viamillipede $(UNITS) $(TOOLS)
	build/simulation 1 100000
	tests/run tests/long/*.sh

# The same suite over programs built with a sanitizer, in a tree of their own.
test-asan:
	tests/other-build.sh asan '-O1 -g -fsanitize=address,$(UNDEFINED)'
test-tsan:
	tests/other-build.sh tsan '-O1 -g -fsanitize=thread'

# How many lines the suite runs.
coverage:
	tests/coverage.sh

# What is found stays in build; what covers something new, in build/corpus.
fuzz: $(FUZZERS)
	tests/fuzz.sh $(FUZZ_SECONDS) $(FUZZERS)

bench: viamillipede $(TOOLS); tests/bench.py
bench-wan: viamillipede $(TOOLS); tests/bench_wan.py
bench-ssh: viamillipede $(TOOLS); tests/bench_ssh.sh
bench-streams: viamillipede $(TOOLS); tests/bench_streams.py

clean:
	rm -rf viamillipede viamillipede.o $(OBJS) build
