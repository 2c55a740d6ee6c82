#!/usr/bin/env bash
# Bring a pg_dumpall or plain pg_dump (stdin to stdout) into a form in which two equal
# clusters give equal bytes:
#
#     cmp <(pg_dumpall -h old | comparable-dump.sh) <(pg_dumpall -h new | comparable-dump.sh)
#
# Two things differ between dumps of the same data. The key in \restrict is random: those
# lines are left out. And SQL gives rows no order: a restore may fill a gap at the end of
# an earlier page with a later, shorter row, so the next dump lists them otherwise. The
# rows of each COPY are sorted; everything else keeps its place.
set -euo pipefail
export LC_ALL=C # bytes, whatever encoding each database has

# A place before every line to sort by: its own for a statement, one for all rows of a
# COPY. A row is never mistaken for the end of its table: a backslash in data is doubled.
awk '
    !rows && /^\\(un)?restrict [A-Za-z0-9]+$/ { next }
    !rows || $0 == "\\." { place++; rows = 0 }
    { printf "%012d%s\n", place, $0 }
    /^COPY .* FROM stdin;$/ && !rows { rows = 1; place++ }
' | sort | cut -c 13-
