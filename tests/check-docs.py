#!/usr/bin/env python3
"""The documents against the program.

    check-docs.py [PROGRAM [DIRECTORY]]

reads what PROGRAM --help prints (./viamillipede) and, from DIRECTORY (the one
above this file's), README.md, viamillipede.1, and the sources.
Every option word, with its other spellings, arguments, range and default, and
every exit status must be in each document, and none may be in a document that
the program does not know. Where they are looked for:

README.md   under a heading with "option" or "command line" in it: table rows
            | `word ARGUMENTS` | meaning | range, default |
            whose first cell may hold other spellings in backquotes, too;
            under a heading with "exit status" in it: table rows | 0 | ... |
            under the heading "Figures": each number is one of BENCHMARKS.md,
            which the section links to
viamillipede.1
            .Sh OPTIONS: outermost items `.It Cm word Ar ARGUMENTS`, other
            spellings as further Cm words or as items of their own that share
            the text; the default stands near the word "default";
            .Sh EXIT STATUS: items `.It 0`

The messages of the sources must be in the manual's .Sh DIAGNOSTICS, and what is
there as an item must be in the sources, capitals standing for what varies, and in
a test, but for those in UNTESTED.

Each test says which promise of the manual it guards; each exit status and each
option word must be one of them.

The tables of bytes in frame.h must be without gap or overlap, as long as the
constants say, and have a row for each number that frame.c puts or gets.
"""

import os
import re
import subprocess
import sys

problems = []
checks = 0


def check(good, text):
    global checks
    checks += 1
    if not good:
        problems.append(text)


def read(directory, name):
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as f:
            return f.read()
    except OSError as error:
        check(False, "%s: %s" % (name, error.strerror))
        return ""


def plain(text):
    """One line, with dashes and apostrophes of one kind, without markup."""
    text = re.sub("[\u2010-\u2015\u2212]", "-", text)
    text = re.sub("[\u2018\u2019]", "'", text)
    return re.sub(r"\s+", " ", text.replace("`", "").replace("*", ""))


def token(text):
    """A pattern for text that is no part of a longer word or number."""
    return r"(?<![\w.-])" + re.escape(text) + r"(?![\w-])(?!\.\w)"


class Word:
    def __init__(self, names, arguments):
        self.names = names
        self.arguments = arguments
        self.ranges = set()
        self.defaults = set()


def parse_help(text):
    """Words by their first spelling, and the set of exit statuses."""
    words, statuses, word, heading = {}, set(), None, ""
    for line in text.splitlines():
        if re.match(r"\S.*:$", line):
            heading, word = line, None
        elif heading == "Exit status:":
            found = re.match(r"  (\d+)  \S", line)
            if found:
                statuses.add(int(found.group(1)))
        elif re.match(r"  \S", line) and heading:
            head = re.split(r" {2,}", line[2:])[0]
            spellings = head.split(", ")
            names = [s.split(" ")[0] for s in spellings]
            arguments = spellings[-1].split(" ")[1:]
            word = words.setdefault(names[0], Word(names, arguments))
            check(word.names == names and word.arguments == arguments,
                  "--help: %s has two forms" % names[0])
        else:
            found = re.match(r" +\[(?:range: (.*?))?(?:; )?"
                             r"(?:default: (.*))?\]$", line)
            if found and word:
                word.ranges.update(filter(None, [found.group(1)]))
                word.defaults.update(filter(None, [found.group(2)]))
    return words, statuses


def readme_section(text, title):
    """The lines under the headings that match, up to the next as high."""
    lines, level, fenced = [], 0, False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        heading = None if fenced else re.match(r"(#+) (.*)", line)
        if heading and re.search(title, heading.group(2), re.I):
            level = len(heading.group(1))
        elif heading and len(heading.group(1)) <= level:
            level = 0
        elif level:
            lines.append(line)
    return lines


def table_rows(lines):
    for line in lines:
        if line.startswith("|"):
            yield [cell.strip() for cell in
                   re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def parse_readme(text):
    """{word: (arguments, text of the last cells)}, exit statuses."""
    found, statuses = {}, set()
    for cells in table_rows(readme_section(text, "option|command line")):
        spans = re.findall(r"`(?!\d+`)([^`]+)`", cells[0])
        for span in spans:
            name = span.split(" ")[0]
            arguments, before = found.get(name, (span.split(" ")[1:], ""))
            found[name] = (arguments, before + " " + plain(cells[-1]))
    for cells in table_rows(readme_section(text, "exit status")):
        if re.fullmatch(r"`?\d+`?", cells[0]):
            statuses.add(int(cells[0].strip("`")))
    return found, statuses


MACRO = re.compile(r"[A-Z][a-z]$|Op$|Pq$")


def mdoc_text(line):
    """What of a line is text."""
    if line.startswith('.\\"'):
        return ""
    line = re.sub(r"\\\(en|\\\(em|\\\(mi|\\-", "-", line)
    line = re.sub(r"\\\(aq|\\\(cq", "'", line).replace("\\&", "")
    if not line.startswith("."):
        return line
    tokens = re.findall(r'"[^"]*"|\S+', line[1:])
    text = ""
    for i, item in enumerate(tokens):
        if item == "Ns" and i > 0:
            text = text.rstrip(" ")
        elif not MACRO.match(item):
            text += item.strip('"') + ("" if item == "(" else " ")
    return re.sub(r" ([.,;:)])(?= |$)", r"\1", text)


def mdoc_items(text, section):
    """(head, body) of the outermost lists' items in a section."""
    items, depth, inside = [], 0, False
    for line in text.splitlines():
        if line.startswith(".Sh "):
            inside = line[4:].strip().strip('"') == section
            depth = 0
        elif not inside:
            continue
        elif line.startswith(".Bl"):
            depth += 1
        elif line.startswith(".El"):
            depth -= 1
        elif line.startswith(".It") and depth == 1:
            items.append([line[3:].strip(), ""])
        elif depth >= 1 and items:
            items[-1][1] += " " + mdoc_text(line)
    for i in range(len(items) - 2, -1, -1):
        if not items[i][1].strip():
            items[i][1] = items[i + 1][1]
    return [(head, plain(body)) for head, body in items]


def parse_manual(text):
    found, statuses = {}, set()
    for head, body in mdoc_items(text, "OPTIONS"):
        names, arguments, macro = [], [], ""
        for item in head.split():
            if MACRO.match(item):
                macro = item
            elif item in (",", "|"):
                continue
            elif macro in ("Cm", "Ic"):
                names.append(item)
            elif macro == "Ar":
                arguments.append(item)
        for name in names:
            before = found.get(name, (arguments, ""))[1]
            found[name] = (arguments, before + " " + body)
    for head, _ in mdoc_items(text, "EXIT STATUS"):
        number = mdoc_text(".It " + head).strip()
        if number.isdigit():
            statuses.add(int(number))
    return found, statuses


def compare_words(where, words, found, default_pattern):
    known = {name: word for word in words.values() for name in word.names}
    for name in sorted(found):
        check(name in known, "%s: %s is not a word of the program" %
              (where, name))
    for name, word in sorted(known.items()):
        check(name in found, "%s: %s is missing" % (where, name))
        if name not in found:
            continue
        arguments, text = found[name]
        check(arguments == word.arguments, '%s: %s takes "%s", not "%s"' %
              (where, name, " ".join(word.arguments), " ".join(arguments)))
        if name != word.names[0]:
            continue
        rest = text
        for legal in word.ranges:
            check(re.search(token(legal), text),
                  "%s: %s: the range %s is missing" % (where, name, legal))
            rest = re.sub(token(legal), " ", rest)
        for value in word.defaults:
            check(re.search(default_pattern + token(value), rest, re.S),
                  "%s: %s: the default %s is missing" % (where, name, value))


def compare_statuses(where, statuses, found):
    for number in sorted(statuses ^ found):
        check(False, "%s: exit status %d is %s" % (
            where, number, "missing" if number in statuses else
            "not one of the program"))
    check(found, "%s: no exit statuses found" % where)


def check_figures(directory, readme):
    """The summary in the README is of figures that say on what they were measured."""
    summary = "\n".join(readme_section(readme, "^figures$"))
    benchmarks = read(directory, "BENCHMARKS.md")
    makefile = read(directory, "Makefile")
    figures = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])", summary)
    check(figures and "](BENCHMARKS.md)" in summary,
          "README.md: no figures, or no link to BENCHMARKS.md beside them")
    for figure in figures:
        check(re.search(token(figure), benchmarks),
              "README.md: the figure %s is not in BENCHMARKS.md" % figure)
    for part in benchmarks.split("\n## ")[1:]:
        target = re.search(r"`make ([\w-]+)`", part)
        check(target and re.search("^%s:" % re.escape(target.group(1)), makefile, re.M),
              "BENCHMARKS.md: %s: names no target of the Makefile that measures it" %
              part.splitlines()[0])


# What prints or keeps a message for the user; the text is the first string.
TELLERS = re.compile(r"\b(?:log_line|log_limited|outcome_fail|"
                     r"outcome_fail_status|half_fail|half_fail_errno)\(")
LEAST = 6       # letters of a piece of a message that is looked for


def string_literals(text):
    """Every string in C text, neighbours joined, escapes kept."""
    for found in re.finditer(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:PRI\w+\s*)?'
                             r'"(?:[^"\\\n]|\\.)*")*', text):
        yield re.sub(r'"\s*(?:PRI\w+\s*)?"', "", found.group(0))[1:-1]


def pieces_of(text, varying):
    """What does not vary of a message, where it is long enough to tell."""
    return [piece.strip() for piece in re.split(varying, text)
            if len(re.findall("[a-z]", piece)) >= LEAST]


def sources(directory):
    """Every .c file of the program, relative to the directory."""
    found = []
    for place, folders, names in os.walk(directory):
        folders[:] = [f for f in folders
                      if f not in ("build", "tests") and f[0] != "."]
        found += [os.path.relpath(os.path.join(place, name), directory)
                  for name in names if name.endswith(".c")]
    return sorted(found)


def check_messages(directory, manual):
    section = re.search(r"^\.Sh DIAGNOSTICS\n(.*?)^\.Sh ", manual, re.M | re.S)
    lines = section.group(1).splitlines() if section else []
    told = plain(" ".join(mdoc_text(line) for line in lines))
    said, count = "", 0
    for name in sources(directory):
        if os.path.basename(name) == "options.c":
            continue
        code = re.sub(r"/\*.*?\*/", "", read(directory, name), flags=re.S)
        said += "\n" + "\n".join(string_literals(code)).replace("message%s",
                                                               "messages")
        for call in TELLERS.finditer(code):
            arguments = code[call.end():code.index(";", call.end())]
            message = next(string_literals(arguments), "")
            count += 1
            for piece in pieces_of(message,
                                   r"%[-0-9.*]*(?:ll|z)?[a-z]?|\\.")[:1]:
                check(plain(piece) in told,
                      'viamillipede.1: DIAGNOSTICS lacks "%s" (%s)' %
                      (message, name))
    check(count >= 20, "only %d messages found in the sources" % count)
    for line in lines:
        if not line.startswith(".It "):
            continue
        for piece in pieces_of(line[4:], r"\b[A-Z]+\b|\.\.\.|: "):
            check(piece in said, 'viamillipede.1: DIAGNOSTICS has "%s", the '
                  "sources have not" % line[4:])


def parse_tables(text):
    """{title: [(first byte, last or None, what)]} of a comment."""
    tables, rows, entries = {}, [], []
    for line in text.split("*/")[0].splitlines():
        title = re.match(r" \*\tbytes\t(.+)", line)
        row = re.match(r" \*(\t+)(\d+)(-?)(\d*)\t(.+)", line)
        if title:
            rows = tables[title.group(1)] = []
            entries = tables[title.group(1) + ", entry"] = []
        elif row:
            first = int(row.group(2))
            last = first if not row.group(3) else \
                int(row.group(4)) if row.group(4) else None
            (rows if len(row.group(1)) == 1 else entries).append(
                (first, last, row.group(5)))
    return {title: rows for title, rows in tables.items() if rows}


def constants(text):
    return {name: int(value, 0) for name, value in re.findall(
        r"^#define (FRAME_\w+)\s+(0x[0-9a-fA-F]+|\d+)\b(?!u)", text, re.M)}


# Functions of frame.c by how they begin ("" where they use no offsets), how their table's title begins, and
# the constant that is its length.
TABLES = (
    ("hello_", "HELLO", "FRAME_GREETING"),
    ("refuse_", "REFUSE", "FRAME_GREETING"),
    ("", "sealed HELLO", "FRAME_HELLO_SEALED"),
    ("", "ANSWER", "FRAME_ANSWER"),
    ("frame_", "header of every frame", "FRAME_HEADER"),
    ("fin_", "payload of FIN", "FRAME_FIN_SIZE"),
    ("status_", "payload of STATUS", "FRAME_STATUS_SIZE"),
    ("heartbeat_", "payload of HEARTBEAT", "FRAME_HEARTBEAT_SIZE"),
    ("done_", "payload of DONE", "FRAME_DONE_SIZE"),
    ("fail_", "payload of FAIL", "FRAME_FAIL_SIZE"),
)


def compare_table(title, rows, length):
    following = 0
    for first, last, what in rows:
        check(first == following,
              "frame.h: %s: byte %d (%s) does not follow %d" %
              (title, first, what, following - 1))
        if last is None:
            following = first
            break
        check(last >= first, "frame.h: %s: bytes %d-%d" %
              (title, first, last))
        following = last + 1
    check(following == length, "frame.h: %s: %d bytes, but the constant "
          "says %d" % (title, following, length))


def accesses(body, sizes):
    """(width, offset) of what a function puts or gets: integers, and bytes
    whose number is a constant."""
    for width, offset in re.findall(
            r"\b(?:put|get)(16|32|64)\((?:out|in)(?: \+ (\d+))?[,)]", body):
        yield int(width) // 8, int(offset or 0)
    for out, into, name in re.findall(
            r"\bmemcpy\((?:out \+ (\d+), [^,]+|[^,]+, in \+ (\d+)), "
            r"(FRAME_\w+)\)", body):
        yield sizes.get(name, 0), int(out or into)


def compare_accesses(function, title, rows, body, sizes):
    spans = {first: last for first, last, _ in rows}
    seen = 0
    for width, offset in accesses(body, sizes):
        seen += 1
        check(spans.get(offset) == offset + width - 1,
              "frame.c: %s: bytes %d-%d are no row of %s in frame.h" %
              (function, offset, offset + width - 1, title))
    return seen


def check_frames(header, code):
    tables, sizes = parse_tables(header), constants(header)
    functions = dict(re.findall(r"^(\w+)\([^;{]*\)\n\{\n(.*?)^\}", code,
                                re.M | re.S))
    for prefix, begins, constant in TABLES:
        title = next((t for t in tables if t.startswith(begins) and
                      not t.endswith(", entry")), None)
        check(title and constant in sizes,
              "frame.h: no table of %s, or no %s" % (begins, constant))
        if not title or constant not in sizes:
            continue
        compare_table(title, tables[title], sizes[constant])
        if not prefix:
            continue
        entry = title + ", entry"
        if entry in tables:
            compare_table(entry, tables[entry],
                          sizes.get(constant.replace("SIZE", "ENTRY"), 0))
        for verb in ("encode", "decode"):
            parts = re.split(r"\b(?:out|in) \+= %s" % constant,
                             functions.get(prefix + verb, ""))
            seen = compare_accesses(prefix + verb, title, tables[title],
                                    parts[0], sizes)
            for part in parts[1:]:
                compare_accesses(prefix + verb, entry, tables.get(entry, []),
                                 part, sizes)
            check(seen, "frame.c: %s%s: no offsets found" % (prefix, verb))


# --- promises ---------------------------------------------------------------

# A test opens with what the manual promises and it guards:
#	# promise: EXIT STATUS 3, OPTIONS wait, DIAGNOSTICS
# EXIT STATUS and OPTIONS with which; other sections by their names alone.
# A test of the tests' tools, or of what the manual does not speak of, says "none".
# Which messages are tested is read from the tests themselves: what they quote.
SECTIONS = ("DESCRIPTION", "REPORT FILES", "SIGNALS", "ENVIRONMENT", "DIAGNOSTICS",
            "SECURITY CONSIDERATIONS", "EXAMPLES", "CAVEATS", "MILLIPEDESH", "MBUFFER",
            "none")
# Messages that no test quotes. tests/850-failing-calls.sh makes calls fail at
# random, and only wants some message.
UNTESTED = (
    "no memory for the orders",
    "cannot take over standard input: REASON",
    "cannot note what arrived: REASON",
    "cannot note what was lost: REASON",
    "cannot get random bytes: REASON",
    # What a race or a broken peer would have to bring about.
    "the remote side does not listen any more",
    "the peer ended the session too early",
    "the command waits for the terminal, which another program uses",
)


def quoted_in_tests(directory):
    """What does not vary of all strings in the tests, one a line."""
    text = ""
    for place, _, names in os.walk(os.path.join(directory, "tests")):
        for name in names:
            if re.match(r"(?!check-|bench|fuzz).*\.(sh|py|c)$", name):
                text += read(place, name)
    strings = re.findall(r"'([^'\n]{6,})'|\"((?:[^\"\\\n]|\\.){6,})\"", text)
    return "\n".join(piece for pair in strings for piece in re.split(
        r"\\[()|.?+*]|\.\*|\[[^\]]*\][*+]?|[|()^$*+?{}]|%[-0-9.]*[a-z]+|\$\w+",
        pair[0] or pair[1]))


def check_messages_tested(directory, manual):
    """Some test quotes a good part of each message."""
    said = quoted_in_tests(directory)
    section = re.search(r"^\.Sh DIAGNOSTICS\n(.*?)^\.Sh ", manual, re.M | re.S)
    items = [line[4:] for line in section.group(1).splitlines()
             if line.startswith(".It ")] if section else []
    for item in items:
        pieces = pieces_of(item, r"\b[A-Z]+\b|\.\.\.")
        found = not pieces
        for piece in pieces:
            size = min(len(piece), max(8, min(20, len(piece) * 6 // 10)))
            found = found or any(piece[i:i + size] in said
                                 for i in range(len(piece) - size + 1))
        check(found or item in UNTESTED, "no test of the message: %s" % item)
        check(not (pieces and found and item in UNTESTED),
              "tests/check-docs.py: there is a test of: %s" % item)
    for item in UNTESTED:
        check(item in items, "tests/check-docs.py: no such message: %s" % item)


def check_promises(directory, words, statuses):
    promised = set()
    tests = os.path.join(directory, "tests")
    known = {n for word in words.values() for n in word.names}
    for name in sorted(os.listdir(tests)):
        if not re.match(r"\d+-.*\.sh$", name):
            continue
        head = "".join(re.findall(r"^#.*\n", read(tests, name), re.M)[:40])
        found = re.search(r"^# promise: ((?:.*,\n# +)*.*)", head, re.M)
        check(found, "tests/%s: says no promise of the manual that it guards" % name)
        for item in re.split(r",\s*(?:#\s*)?", found.group(1)) if found else ():
            kind, _, what = item.rpartition(" ")
            promised.add((kind, what) if kind in ("EXIT STATUS", "OPTIONS") else item)
            check(item in SECTIONS or (kind == "OPTIONS" and what in known) or
                  (kind == "EXIT STATUS" and what.isdigit() and int(what) in statuses),
                  "tests/%s: no promise of the manual: %s" % (name, item))
    for status in statuses:
        check(("EXIT STATUS", str(status)) in promised, "no test of EXIT STATUS %d" % status)
    for word in words.values():
        check(any(("OPTIONS", n) in promised for n in word.names), "no test of OPTIONS " + word.names[0])


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    directory = sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(here)
    program = sys.argv[1] if len(sys.argv) > 1 else \
        os.path.join(directory, "viamillipede")

    text = subprocess.run([program, "--help"], stdout=subprocess.PIPE,
                          check=True).stdout.decode("ascii")
    words, statuses = parse_help(text)
    check(len(words) >= 10, "--help: only %d words found" % len(words))
    for word in words.values():
        check(word.defaults or word.names[0] in ("tx", "rx", "offer", "fetch", "duplex", "ssh",
                                               "serve"),
              "--help: %s: no default found" % word.names[0])

    for name, parse, near in (("README.md", parse_readme, ""),
                              ("viamillipede.1", parse_manual,
                               r"[Dd]efault.{0,60}?")):
        document = read(directory, name)
        found, found_statuses = parse(document)
        compare_words(name, words, found, near)
        compare_statuses(name, statuses, found_statuses)
        for flag in ("-h", "--help", "-V", "--version"):
            form = flag if name == "README.md" else "Fl " + flag[1:]
            check(re.search(r"(?<![\w-])%s(?![\w-])" % form, document),
                  "%s: %s is missing" % (name, flag))
            check(re.search(r"(?<![\w-])%s(?![\w-])" % flag, text),
                  "--help: %s is missing" % flag)

    enum = re.search(r"enum exit_status \{(.*?)\};",
                     read(directory, "options.h"), re.S)
    numbers = {int(n) for n in re.findall(r"\bEXIT_\w+ = (\d+)",
                                          enum.group(1) if enum else "")}
    compare_statuses("options.h", statuses, numbers)

    check_figures(directory, read(directory, "README.md"))
    check_messages(directory, read(directory, "viamillipede.1"))
    check_promises(directory, words, statuses)
    check_messages_tested(directory, read(directory, "viamillipede.1"))
    check_frames(read(directory, "frame.h"), read(directory, "frame.c"))

    for problem in problems:
        print(problem)
    if problems:
        print("%d of %d checks failed" % (len(problems), checks))
        return 1
    print("ok %d checks" % checks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
