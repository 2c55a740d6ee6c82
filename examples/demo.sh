#!/usr/bin/env bash
# `make demo`: pack a PostgreSQL cluster twice, lose it, restore it, compare.
#
# Needs cargo and Debian's `postgresql` (`bash .ci/install demo` installs what is
# missing). Everything lives in one temporary directory, about 1 GB, with its own key and
# a private socket instead of a port; existing clusters are not touched. The directory and
# the servers go away at the end, on failure and on Ctrl-C. VAULT names another binary
# than the one that is built here.
set -euo pipefail
cd "$(dirname "$0")/.."
examples=$PWD/examples

bold='' dim='' plain=''
if [ -t 1 ]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi
number=0
step() {
    number=$((number + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$number" "$1" "$plain"
}
say() { printf '   %s\n' "$@"; }
# Show a command as one would type it, run it, say how long it took.
run() {
    local shown="${*//"$dir"/DIR}" began=$EPOCHREALTIME code=0
    printf '   $ %s\n' "${shown//"$examples"/examples}"
    "$@" 2>&1 | sed -u 's/^/     /' || code=$?
    awk -v a="$began" -v b="$EPOCHREALTIME" -v dim="$dim" -v plain="$plain" \
        'BEGIN { printf "     %s(%.1f s)%s\n", dim, b - a, plain }'
    return "$code"
}

# PostgreSQL refuses to run as root.
as_owner=()
if [ "$(id -u)" -eq 0 ]; then
    as_owner=(runuser -u postgres --)
fi
bin=$(dirname "$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")
if [ ! -x "$bin/initdb" ]; then
    echo 'demo: error: no PostgreSQL server found; run: bash .ci/install demo' >&2
    exit 1
fi
# The programs themselves, before Debian's wrappers, which look for clusters in /etc.
PATH=$bin:$PATH

dir=$(mktemp -d /tmp/vault-demo.XXXXXX) # short: a socket's path has at most 107 bytes
cleanup() {
    trap '' INT TERM HUP
    local name
    for name in old new; do
        stop "$name"
    done
    rm -rf "$dir"
}
stop() {
    if [ -f "$dir/$1/data/postmaster.pid" ]; then
        "${as_owner[@]}" "$bin/pg_ctl" -D "$dir/$1/data" -m immediate -w stop >/dev/null || true
    fi
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 711 "$dir" # `postgres` has to reach its own directories in it

# start NAME: a new cluster in $dir/NAME, reached through its socket alone.
start() {
    local home=$dir/$1
    mkdir "$home"
    chmod 700 "$home"
    if [ ${#as_owner[@]} -gt 0 ]; then
        chown postgres: "$home"
    fi
    # -A trust is safe here: only the owner and root can reach the socket.
    (cd "$home" && "${as_owner[@]}" "$bin/initdb" -D "$home/data" -U postgres -A trust \
        -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null)
    # No port. fsync=off: a cluster that lives for a minute need not survive a power cut.
    cat >>"$home/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$home'
unix_socket_permissions = 0700
fsync = off
max_wal_size = 4GB
CONF
    (cd "$home" && "${as_owner[@]}" "$bin/pg_ctl" -D "$home/data" -l "$home/log" -w start >/dev/null) || {
        cat "$home/log" >&2
        return 1
    }
    export PGHOST=$home
}
unset "${!PG@}" # a PGSERVICE or PGOPTIONS of the user's must not lead elsewhere
export PGUSER=postgres PGPORT=5432

# same NAME FILE FILE: print how many bytes two dumps have in common, which must be all.
same() {
    if ! cmp "$2" "$3"; then
        say "$1: THEY DIFFER."
        exit 1
    fi
    printf '   %s: %s%s bytes, all equal%s\n' "$1" "$bold" \
        "$(stat -c %s "$3" | sed -E ':a; s/([0-9])([0-9]{3})($| )/\1 \2\3/; ta')" "$plain"
}
# The key in \restrict is random: two dumps of one state differ in those lines.
without_keys() { sed -E '/^\\(un)?restrict [A-Za-z0-9]+$/d'; }

printf '%svault: from a running PostgreSQL into an encrypted archive and back%s\n' "$bold" "$plain"
say "Everything happens in $dir, and is removed at the end."

step 'Build vault'
if [ -n "${VAULT:-}" ]; then
    say "Using $VAULT."
else
    cargo build --release --locked
    VAULT=${CARGO_TARGET_DIR:-$PWD/target}/release/vault
fi
# From here on it is called as it would be once installed.
mkdir "$dir/bin"
ln -s "$(realpath "$VAULT")" "$dir/bin/vault"
unset VAULT
PATH=$dir/bin:$PATH

step 'Start a throw-away PostgreSQL and fill it'
start old
say "$(postgres --version), socket in $PGHOST"
createdb bank
pgbench --initialize --quiet --scale=10 bank 2>/dev/null
psql -X -q -v ON_ERROR_STOP=1 -d postgres -f - <<'SQL'
CREATE ROLE clerk LOGIN PASSWORD 'not telling';
CREATE DATABASE shop OWNER clerk;
\connect shop
SELECT setseed(0.5) \g /dev/null
CREATE TYPE state AS ENUM ('new', 'paid', 'sent', 'returned');
CREATE TABLE customers (
    id int PRIMARY KEY, name text NOT NULL, email text UNIQUE, born date, notes text);
CREATE TABLE orders (
    id bigserial PRIMARY KEY, customer int REFERENCES customers, state state,
    placed timestamptz NOT NULL, total numeric(10, 2), items jsonb, remark text);
-- Words of all sorts: two alphabets, quotes, a backslash, a tab, a line break.
CREATE FUNCTION words(low int, high int) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg((ARRAY['amber', 'boat', 'Čapek', 'dünn', 'Ελλάδα', 'frost', 'grün', 'O''Hara',
        'C:\temp', E'tab\there', E'line\nbreak', '"quoted"', 'larch', 'мост', 'night', 'oak',
        'plum', 'quay', 'rain', 'slate', '東京', 'umber', 'vale', 'willow', '🦀', 'zinc'])
        [1 + floor(random() * 26)::int], ' ')
    FROM generate_series(1, low + floor(random() * (high - low + 1))::int) $$;
INSERT INTO customers
    SELECT i, words(2, 3), 'c' || i || '@example.org', date '1940-01-01' + (random() * 24000)::int,
           CASE WHEN random() < 0.3 THEN words(5, 40) END
    FROM generate_series(1, 50000) i;
INSERT INTO orders (customer, state, placed, total, items, remark)
    SELECT 1 + (random() * 49999)::int, (enum_range(NULL::state))[1 + floor(random() * 4)::int],
           timestamptz '2024-01-01' + random() * interval '700 days', (random() * 900)::numeric(10, 2),
           jsonb_build_object('sku', md5((i % 5000)::text), 'n', 1 + i % 7, 'gift', random() < 0.1,
                              'tags', jsonb_build_array(words(1, 1), words(1, 1))),
           CASE WHEN random() < 0.5 THEN words(3, 20) END
    FROM generate_series(1, 300000) i;
CREATE INDEX ON orders USING gin (items);
CREATE VIEW takings AS SELECT date_trunc('month', placed) AS month, sum(total) FROM orders GROUP BY 1;
SQL
psql -X -q -At -F ': ' -d postgres -c "
    SELECT '     database ' || datname, pg_size_pretty(pg_database_size(oid))
    FROM pg_database WHERE datname IN ('bank', 'shop') ORDER BY 1"

step 'Make a key'
export VAULT_STORE=$dir/store VAULT_KEY_FILE=$dir/key
mkdir "$VAULT_STORE"
say 'VAULT_STORE and VAULT_KEY_FILE name the store and the key, for all that follows.'
run vault key new

step 'Pack the whole cluster'
run vault pack -- pg_dumpall

step 'A day passes'
pgbench --no-vacuum --client=2 --transactions=1000 bank >/dev/null 2>&1
psql -X -q -v ON_ERROR_STOP=1 -d shop -c "
    INSERT INTO orders (customer, state, placed, total)
        SELECT 1 + i % 50000, 'new', timestamptz '2026-01-01' + i * interval '1 s', i / 100.0
        FROM generate_series(1, 2000) i;
    UPDATE orders SET state = 'sent' WHERE state = 'paid' AND id % 500 = 0"
say '2000 payments at the bank; 2000 new orders and a few sent in the shop.'

step 'Pack it again: what the first backup holds is not stored again'
run vault pack -- pg_dumpall
run vault list
run du -sh "$VAULT_STORE"

step 'Verify: read and authenticate everything there is'
run vault verify --all --read-data

step 'The bad day: the server and its disk are gone'
pg_dumpall >"$dir/before.sql"
stop old
rm -rf "$dir/old"
say 'Kept aside, only to compare with: a plain dump of the last state.'

step 'Restore the latest backup into a new cluster'
start new
run "$examples/restore-cluster.sh" latest

step 'Compare'
vault unpack latest | without_keys >"$dir/unpacked.sql"
without_keys <"$dir/before.sql" >"$dir/packed.sql"
same 'the dump, as it went in and comes out' "$dir/packed.sql" "$dir/unpacked.sql"
rm "$dir/packed.sql" "$dir/unpacked.sql"

# A restore may store rows in another order, so they are sorted first.
"$examples/comparable-dump.sh" <"$dir/before.sql" >"$dir/old.sql"
pg_dumpall | "$examples/comparable-dump.sh" >"$dir/new.sql"
same 'the lost cluster and the restored one, dumped' "$dir/old.sql" "$dir/new.sql"

printf '\n%sDone%s in %d s, building included.\n' "$bold" "$plain" "$SECONDS"
