-- The first day of the corpus: run by psql as the superuser of an empty cluster that has
-- a database `bank` of pgbench's. :scale is pgbench's scale; 50 gives dumps of 1.1 GB.
--
-- The same rows on every machine: all randomness is setseed() and md5(). About a ninth of
-- the text is beyond ASCII, and there is what compresses ten times and what hardly does.
\set ON_ERROR_STOP on
SELECT setseed(0.25) \g /dev/null

-- The balances of a bank in use; in order, as if they had been loaded so.
\connect bank
UPDATE pgbench_accounts SET abalance = hashint4extended(aid, 0) % 100000;
VACUUM FULL pgbench_accounts;

-- Words of one to four syllables, the frequent ones more so: in template1, for all databases.
\connect template1
DO $do$
DECLARE
    syllables text[] := '{al,be,cor,dun,el,fi,gra,hem,in,jo,ka,lo,mer,ne,os,pri,qu,ron,st,tha,ul,ver,wy,ñá,grü,мо,ст,λα}';
    vocabulary text[];
BEGIN
    SELECT array_agg(word ORDER BY i) INTO vocabulary FROM (
        SELECT i, (SELECT string_agg(syllables[1 + get_byte(hash, k) % 28], '' ORDER BY k)
                   FROM generate_series(0, get_byte(hash, 15) % 4) k) AS word
        FROM (SELECT i, decode(md5(i::text), 'hex') AS hash FROM generate_series(1, 2000) i) AS hashes) AS words;
    EXECUTE format($f$
        CREATE FUNCTION words(low int, high int) RETURNS text LANGUAGE sql VOLATILE AS $$
            SELECT string_agg((%L::text[])[1 + floor(power(random(), 1.2) * 2000)::int], ' ')
            FROM generate_series(1, low + floor(random() * (high - low + 1))::int) $$ $f$, vocabulary);
END $do$;

\connect postgres
CREATE ROLE clerk LOGIN PASSWORD 'not telling';
CREATE DATABASE shop OWNER clerk;
CREATE DATABASE plant;
CREATE DATABASE papers;

\connect shop
SELECT setseed(0.5) \g /dev/null
CREATE TYPE state AS ENUM ('new', 'paid', 'sent', 'returned');
CREATE TABLE customers (
    id int PRIMARY KEY, name text NOT NULL, email text, born date, since timestamptz, notes text);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer int, state state, placed timestamptz NOT NULL, total numeric(10, 2),
    items jsonb, remark text);
CREATE TABLE sessions (id uuid PRIMARY KEY, customer int, began timestamptz, token bytea, active boolean);
CREATE FUNCTION add_customers(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO customers
    SELECT i, words(2, 3), 'c' || i || '@example.org', date '1940-01-01' + (random() * 24000)::int,
           timestamptz '2015-01-01' + i * interval '17 min', CASE WHEN random() < 0.3 THEN words(5, 40) END
    FROM generate_series(first, last) i $$;
CREATE FUNCTION add_orders(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO orders
    SELECT i, 1 + (random() * 199999)::int, (enum_range(NULL::state))[1 + floor(random() * 4)::int],
           timestamptz '2024-01-01' + i * interval '67 s' + random() * interval '1 min',
           (random() * 900)::numeric(10, 2),
           jsonb_build_object(
               'sku', md5((power(random(), 3) * 5000)::int::text), 'n', 1 + i % 7, 'lot', (random() * 1e9)::int,
               'gift', random() < 0.1, 'tags', jsonb_build_array(words(1, 1), words(1, 1))),
           CASE WHEN random() < 0.5 THEN words(3, 20) END
    FROM generate_series(first, last) i $$;
CREATE FUNCTION add_sessions(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO sessions
    SELECT md5(i::text)::uuid, 1 + (random() * 199999)::int, timestamptz '2026-01-01' + i * interval '2 s',
           sha256(('token' || i)::bytea), random() < 0.2
    FROM generate_series(first, last) i $$;
SELECT add_customers(1, :scale * 4000), add_orders(1, :scale * 16000), add_sessions(1, :scale * 14000) \g /dev/null
CREATE VIEW takings AS SELECT date_trunc('month', placed) AS month, sum(total) FROM orders GROUP BY 1;

\connect plant
SELECT setseed(0.625) \g /dev/null
CREATE TABLE readings (
    id bigint PRIMARY KEY, sensor int, at timestamptz NOT NULL, value double precision, volts numeric(8, 4),
    quality smallint);
CREATE TABLE events (
    id bigint PRIMARY KEY, at timestamptz NOT NULL, host inet, level text, request uuid, message text, detail json);
CREATE FUNCTION add_readings(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO readings
    SELECT i, 1 + i % 97, timestamptz '2026-03-01' + i / 97 * interval '10 s',
           round((20 + 5 * sin(i / 9700.0) + random())::numeric, 3), 230 + (random() * 4)::numeric(8, 4),
           CASE WHEN random() < 0.98 THEN 0 ELSE 1 + i % 3 END
    FROM generate_series(first, last) i $$;
CREATE FUNCTION add_events(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO events
    SELECT i, timestamptz '2026-02-01' + i * interval '2.9 s',
           ('10.0.' || i % 7 || '.' || 1 + (random() * 250)::int)::inet,
           (ARRAY['debug', 'info', 'info', 'info', 'notice', 'warning', 'error'])[1 + floor(random() * 7)::int],
           md5('request' || i / 3)::uuid,
           (ARRAY['connection received: ', 'request completed: ', 'could not open file: ',
                  'retrying after timeout: ', 'checkpoint: '])[1 + floor(random() * 5)::int] || words(2, 9),
           json_build_object(
               'pid', 1000 + i % 30000, 'ms', (random() * 400)::numeric(8, 3), 'bytes', (random() * 90000)::int,
               'trace', md5('trace' || i), 'user', 'u' || (random() * 17000)::int,
               'path', '/api/v2/' || words(1, 1) || '/' || (random() * 90000)::int)
    FROM generate_series(first, last) i $$;
SELECT add_readings(1, :scale * 32000), add_events(1, :scale * 16000) \g /dev/null

\connect papers
SELECT setseed(0.75) \g /dev/null
CREATE TABLE documents (
    id int PRIMARY KEY, key uuid, title text, body text, written timestamptz, digest bytea);
CREATE FUNCTION add_documents(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO documents
    SELECT i, md5('document' || i)::uuid, words(3, 9), words(100, 400),
           timestamptz '2020-01-01' + i * interval '41 min', sha256(i::text::bytea)
    FROM generate_series(first, last) i $$;
SELECT add_documents(1, :scale * 1600) \g /dev/null
