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

OBJS = chaos.o crc32c.o digest.o entropy.o frame.o inflow.o listener.o lock.o log.o net.o \
	options.o order.o outflow.o pace.o path.o pulse.o ranges.o rx.o session.o tx.o \
	viamillipede.o wake.o window.o worker.o

all: viamillipede

viamillipede: $(OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJS) $(LDLIBS)

.SUFFIXES: .c .o
.c.o:
	$(CC) $(STD) $(WARN) $(CFLAGS) -c -o $@ $<

clean:
	rm -rf viamillipede *.o build
