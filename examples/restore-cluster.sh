#!/usr/bin/env bash
# Restore a backup made by `vault pack -- pg_dumpall` into a fresh PostgreSQL cluster.
#
#     restore-cluster.sh BACKUP-ID|latest
#
# The cluster is the one that PGHOST, PGPORT and PGUSER name; PGUSER must be its
# bootstrap superuser (what `initdb -U` was given, usually `postgres`). The store and
# the key come from VAULT_STORE and VAULT_KEY_FILE; VAULT names the binary.
#
# Exit code 0 means that psql executed the whole dump, to its last line, without one
# error. On anything else, throw the new cluster away, mend the cause, start again:
#     1  the cluster is not fresh or cannot be reached, and nothing was written; or psql
#        stopped at an error
#     2  usage
#     other codes are those of `vault unpack`
#
# Directories of tablespaces, locales and extensions must be there beforehand.
# shellcheck disable=SC2016  # backticks in single quotes: messages quote commands so
set -euo pipefail

fail() { printf 'restore-cluster: error: %s\n' "$1" >&2; exit "${2:-1}"; }
hint() { printf 'restore-cluster: hint: %s\n' "$1" >&2; }

if [ $# -ne 1 ] || [ -z "$1" ] || [ "${1:0:1}" = - ]; then
    echo 'usage: restore-cluster.sh BACKUP-ID|latest' >&2
    exit 2
fi
vault=${VAULT:-vault}
command -v "$vault" >/dev/null || fail "\`$vault\` not found"
command -v psql >/dev/null || fail '`psql` not found'

# -X   no ~/.psqlrc: a private setting must not change what the dump means.
# -w   never ask for a password: a prompt would hang a restore that nobody watches, and
#      psql asks anew at every \connect. Use ~/.pgpass or PGPASSWORD.
# -q   no "You are now connected to …".
# -v ON_ERROR_STOP=1
#      stop at the first error, with exit code 3. psql's default is to carry on, which is
#      dangerous here: when a table cannot be created, say for want of an extension, its
#      COPY fails, and psql then takes the table's ROWS for SQL and executes them as
#      superuser, whatever they say. It would exit 0, too.
psql_flags=(-X -w -q -v ON_ERROR_STOP=1)

# A dump brings its own encoding (SET client_encoding) for each database.
unset PGCLIENTENCODING
# `ALTER ROLE … SET default_transaction_read_only = on`, or the same for a database, is
# itself in the dump and would hold from the next \connect on: only a setting of the
# connection outranks it.
export PGOPTIONS="${PGOPTIONS:-} -c default_transaction_read_only=off"

ask() { psql "${psql_flags[@]}" -At -d "$1" -c "$2"; }

# Only into a fresh cluster: in a used one every CREATE fails, and rows would be added to
# rows. Objects that initdb did not make have an oid from 16384 on.
present=$(ask postgres "
    SELECT 'database ' || quote_ident(datname) FROM pg_database
     WHERE datname NOT IN ('postgres', 'template0', 'template1')
    UNION ALL SELECT 'role ' || quote_ident(rolname) FROM pg_roles WHERE oid >= 16384
    UNION ALL SELECT 'tablespace ' || quote_ident(spcname) FROM pg_tablespace WHERE oid >= 16384") ||
    fail "cannot ask the cluster at \`${PGHOST:-the default socket}\`"
for database in postgres template1; do
    present+=$(ask "$database" "
        SELECT E'\nrelation ' || oid::regclass || ' in $database' FROM pg_class
         WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')") ||
        fail "cannot ask the database \`$database\`"
done
if [ -n "$present" ]; then
    printf '%s\n' "$present" | sed '/^$/d; s/^/    /' >&2
    hint 'make a new cluster with `initdb`, or drop what is listed'
    fail 'the cluster is not fresh; nothing was written'
fi

# The bootstrap superuser always has oid 10.
superuser=$(ask postgres 'SELECT rolname FROM pg_roles WHERE oid = 10')

# A dump of a cluster creates all of its roles, so in every fresh cluster one statement
# must fail: `CREATE ROLE <bootstrap superuser>`. feed blanks that line (the ALTER ROLE
# that follows it restores its attributes and password) and the DROP ROLE that
# `pg_dumpall --clean --if-exists` puts before it; but only above the first \connect:
# below, the same text may be a row. bash's `read` takes single bytes from a pipe, so that
# `cat` finds the rest complete.
#
# The last line it adds is proof that psql came to the end: psql takes any end of its
# input for success, even in the middle of a COPY.
done_mark="restored-$$-$RANDOM"
consumer='
feed() {
    while IFS= read -r line; do
        case $line in
        "CREATE ROLE $1;" | "CREATE ROLE \"$1\";" | "DROP ROLE IF EXISTS $1;") line= ;;
        esac
        printf "%s\n" "$line"
        case $line in
        "\\connect "* | "-- PostgreSQL database dump") break ;;
        esac
    done
    cat
    printf "\n\\\\echo %s\n" "$2"
}
superuser=$1 mark=$2
shift 2
exec psql "$@" < <(feed "$superuser" "$mark")
'
# `exec` makes psql itself the child of vault, so that vault can kill it on damage before
# it sees an end of input and commits half a table.
# -d postgres   where the roles are created; the dump connects to each database itself.
# -f -          read standard input, but with line numbers in the messages.
# -o /dev/null  discard what the dump's own SELECTs return; \echo is not affected.
started=$SECONDS
code=0
reached=$("$vault" unpack "$1" -- bash -c "$consumer" restore "$superuser" "$done_mark" \
    "${psql_flags[@]}" -d postgres -f - -o /dev/null) || code=$?

if [ "$code" -ne 0 ]; then
    hint 'the cluster may hold part of the backup: make a fresh one for the next attempt'
    [ "$code" -ne 15 ] || fail 'not restored: psql stopped at an error'
    fail "not restored: \`vault unpack\` ended with exit code $code" "$code"
fi
grep -qxF -e "$done_mark" <<<"$reached" ||
    fail 'not restored: psql did not reach the end of the dump'

printf 'restored %s in %d s: %s\n' "$1" "$((SECONDS - started))" "$(ask postgres "
    SELECT count(*) || ' databases, ' || pg_size_pretty(sum(pg_database_size(oid)))
      FROM pg_database WHERE datallowconn")"
hint 'now run `vacuumdb --all --analyze-in-stages`: a dump holds no planner statistics'
