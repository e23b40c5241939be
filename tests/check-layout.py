#!/usr/bin/env python3
"""Which file knows which, and that no rule about that is broken.

    check-layout.py             checks; status 1 and a line each for what is wrong
    check-layout.py graph       shows the graphs of includes and of calls instead

The graph of includes is read from the sources, the graph of calls from what the
objects define and want (`nm`), so the program must have been built. Checked is:

- no header includes itself through others;
- no files call each other in a circle;
- each folder keeps its rule (FOLDERS): what its files may include;
- no .c file declares what another one defines;
- no function is longer than LINES, or has more than PARAMETERS but for those in MANY;
- no line is longer than COLUMNS;
- no function is exported that no other file uses;
- something names every file that is tracked, so that nothing is left behind.
"""

import fnmatch
import glob
import os
import re
import subprocess
import sys

# What the files of a folder may include: folders, or files at the top.
FOLDERS = {
    "core": ("core", "frame.h"),
    "sys": ("sys", "crypto", "core/time.h"),
    "crypto": ("crypto",),
    "ssh": ("ssh", "sys", "crypto", "options.h"),
    "report": None,             # everything
}
# Of report, the others know the events only; the program starts the rest.
REPORTED = ("report/events.h",)
STARTER = "viamillipede.c"
# What has no place in core: it has no I/O, no lock and no clock.
NOT_IN_CORE = r"<(sys/(?!types)|unistd|pthread|time|poll|fcntl|signal|net|arpa|stdatomic)"

LINES = 55          # of a function, between its braces
PARAMETERS = 5
COLUMNS = 100
# Functions with more parameters, and why.
MANY = {
    "chacha20poly1305.c seal_by": "a step of the cipher: state, counts and both texts",
    "chacha20poly1305.c open_by": "likewise",
    "x25519.c carry": "the five limbs of a field element",
    "outflow.c outflow_control": "a frame: its header's fields and its payload",
    "lookup.c lookup": "a name, how long to wait for it, and what calls that off",
}
# Whose parameters are the system's.
SYSTEMS = ("failing.c", "fuzz_world.c")

# Files that are found by their place, not by their name.
PLACES = (
    ".ci/run", ".git*", "LICENSE", "README.md", "CONTRIBUTING.md", "Makefile",
    "tests/[0-9][0-9][0-9]-*.sh", "tests/long/*", "tests/corpus/*", "tests/vectors/*",
)

problems = []


def read(name):
    with open(name, encoding="utf-8", errors="replace") as f:
        return f.read()


def sources():
    found = []
    for place, folders, names in os.walk("."):
        folders[:] = [f for f in folders if f not in ("build", "tests", "share")
                      and f[0] != "."]
        found += [os.path.normpath(os.path.join(place, n)) for n in names
                  if n.endswith((".c", ".h"))]
    return sorted(found)


def included(name, known):
    for path in re.findall(r'^\s*#\s*include "([^"]+)"', read(name), re.M):
        for candidate in (path, os.path.join(os.path.dirname(name), path)):
            candidate = os.path.normpath(candidate)
            if candidate in known:
                yield candidate
                break


def circles(graph):
    """The strongly connected components with more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def calls(names):
    """{file: files that it calls}, without their .c; from the objects."""
    defines, wants = {}, {}
    for name in names:
        stem = name[:-2]
        if not name.endswith(".c") or not os.path.exists(stem + ".o"):
            continue
        text = subprocess.run(["nm", "-P", "-g", stem + ".o"], check=True,
                              stdout=subprocess.PIPE).stdout.decode()
        for line in text.splitlines():
            symbol, kind = line.split(" ")[:2]
            if kind == "U":
                wants.setdefault(stem, set()).add(symbol)
            else:
                defines[symbol] = stem
    return {stem: {defines[s] for s in symbols if defines.get(s, stem) != stem}
            for stem, symbols in wants.items()}


def show(title, graph):
    print(title)
    for node in sorted(graph):
        print("  %-24s %s" % (node, " ".join(sorted(graph[node])) or "-"))
    found = circles(graph)
    for part in found:
        print("  circle: " + " ".join(part))
    print("  %d files, %d edges, %d circles" % (
        len(graph), sum(map(len, graph.values())), len(found)))


def check_folders(includes):
    for name, others in includes.items():
        folder = name.split("/")[0] if "/" in name else ""
        allowed = FOLDERS.get(folder)
        for other in others:
            top = other.split("/")[0] if "/" in other else other
            if allowed is not None and not {top, other} & set(allowed):
                problems.append("%s includes %s, which is not for %s/" %
                                (name, other, folder))
            if top == "report" and folder != "report" and \
                    other not in REPORTED and name != STARTER:
                problems.append("%s includes %s: report/ is for %s only" %
                                (name, other, STARTER))
        if folder == "core":
            for header in re.findall(r"^#include (<.*>)", read(name), re.M):
                if re.match(NOT_IN_CORE, header):
                    problems.append("%s includes %s: core/ is plain state" %
                                    (name, header))


def check_externs(names):
    for name in names:
        if name.endswith(".c"):
            for line in re.findall(r"^extern .*", read(name), re.M):
                if not re.match(r"extern char \*\*environ", line):
                    problems.append("%s: %s: a header's business" % (name, line))


# A function by the house's style: its name at the start of a line, below its type.
FUNCTION = re.compile(r"^([^\n]*)\n\*?(\w+)\(((?:[^(){};]|\([^()]*\))*)\)\n"
                      r"\{\n(.*?)^\}", re.M | re.S)


def bare(name):
    """A file's text, lines kept, without comments and what strings say."""
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), read(name),
                  flags=re.S)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)


def check_sizes(texts):
    unused = set(MANY)
    for name, text in texts.items():
        base = os.path.basename(name)
        for _, function, parameters, body in FUNCTION.findall(text):
            where = "%s %s" % (base, function)
            lines = body.count("\n")
            if lines > LINES:
                problems.append("%s: %s has %d lines; %d at most" % (name, function, lines, LINES))
            count = re.sub(r"\([^()]*\)", "", parameters).count(",") + 1
            if count > PARAMETERS and base not in SYSTEMS and where not in MANY:
                problems.append("%s: %s has %d parameters: fewer, or a reason in MANY" %
                                (name, function, count))
            if count > PARAMETERS:
                unused.discard(where)
    problems.extend("MANY: %s needs no reason" % where for where in sorted(unused))


def check_columns(names):
    for name in names:
        for number, line in enumerate(read(name).splitlines(), 1):
            if len(line.expandtabs(8)) > COLUMNS:
                problems.append("%s:%d: more than %d columns" % (name, number, COLUMNS))


def check_exports(texts):
    """Another .c file uses it, or the code of a header."""
    used = {name: set(re.findall(r"\w+", text if name.endswith(".c") else
                                 "".join(re.findall(r"^[\s#].*", text, re.M))))
            for name, text in texts.items()}
    for name, text in texts.items():
        if not name.endswith(".c") or name.startswith("tests/"):
            continue
        for first, function, _, _ in FUNCTION.findall(text):
            if "static" not in first and function != "main" and not any(
                    function in words for other, words in used.items() if other != name):
                problems.append("%s: %s is used in no other file" % (name, function))


def check_named():
    listed = subprocess.run(["git", "ls-files"], stdout=subprocess.PIPE)
    if listed.returncode != 0:
        return                  # no checkout, but a copy of one
    tracked = [f for f in listed.stdout.decode().splitlines() if os.path.isfile(f)]
    texts = {f: read(f) for f in tracked if not f.startswith("tests/corpus/")
             and not f.startswith("tests/vectors/")}
    for name in tracked:
        if any(fnmatch.fnmatch(name, place) for place in PLACES):
            continue
        base = os.path.basename(name)
        stem, ext = os.path.splitext(base)
        # A file without an extension is named by its place.
        wanted = re.escape(base if ext and stem else name)
        if name.startswith("tests/") and ext == ".c":
            wanted += r"|\bbuild/%s\b|\b%s\b" % (re.escape(stem), re.escape(stem))
        pattern = re.compile(r"(?<![\w-])(%s)(?![\w-])" % wanted)
        if "." not in base and "/" not in name:
            problems.append("%s: nothing names it" % name)
        elif not any(pattern.search(text) for f, text in texts.items() if f != name):
            problems.append("%s: nothing names it" % name)


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    names = sources()
    includes = {n: set(included(n, set(names))) for n in names}
    called = calls(names)
    if sys.argv[1:] == ["graph"]:
        show("includes", includes)
        show("calls", called)
        return 0
    if sys.argv[1:]:
        print("usage: tests/check-layout.py [graph]", file=sys.stderr)
        return 2
    if len(called) < 20:
        problems.append("no objects; run make first")
    for part in circles(includes):
        problems.append("include each other: " + " ".join(part))
    for part in circles(called):
        problems.append("call each other in a circle: " + " ".join(part))
    check_folders(includes)
    check_externs(names)
    texts = {n: bare(n) for n in names + glob.glob("tests/*.[ch]")}
    check_sizes(texts)
    check_columns(sorted(texts) + ["Makefile"])
    check_exports(texts)
    check_named()
    for problem in problems:
        print(problem)
    print("%d files, %s" % (len(names), "%d problems" % len(problems)
                            if problems else "ok"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
