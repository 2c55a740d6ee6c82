-- The next day: one in 200 rows is new, and in each table one in 64 runs of neighbouring
-- rows (some 60 kB of dump each, about 300 in all) is updated. An updated row leaves its
-- place in the dump and appears again at the end of its table.
\set ON_ERROR_STOP on

\connect bank
-- Whether the run of neighbours is among those that are updated.
CREATE FUNCTION pg_temp.hit(run bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT hashint8extended(run, 1) & 63 = 0';
UPDATE pgbench_accounts SET abalance = abalance - aid % 5000 WHERE pg_temp.hit(aid / 600);
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
    SELECT 1 + i % 10, 1 + i % :scale, 1 + i * 7 % (:scale * 100000), i % 5000 - 2500,
           timestamp '2026-05-01' + i * interval '1 s'
    FROM generate_series(1, :scale * 500) i;

\connect shop
SELECT setseed(0.375) \g /dev/null
CREATE FUNCTION pg_temp.hit(run bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT hashint8extended(run, 2) & 63 = 0';
UPDATE customers SET notes = words(3, 10) WHERE pg_temp.hit(id / 400);
UPDATE orders SET state = 'sent', remark = 'sent; ' || coalesce(remark, '') WHERE pg_temp.hit(id / 300);
-- Sessions are in the order in which they began.
UPDATE sessions SET active = NOT active WHERE pg_temp.hit((extract(epoch FROM began) / 2)::bigint / 500);
SELECT add_customers(:scale * 4000 + 1, :scale * 4020), add_orders(:scale * 16000 + 1, :scale * 16080),
       add_sessions(:scale * 14000 + 1, :scale * 14070) \g /dev/null

\connect plant
SELECT setseed(0.4375) \g /dev/null
CREATE FUNCTION pg_temp.hit(run bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT hashint8extended(run, 3) & 63 = 0';
UPDATE readings SET quality = 4 WHERE pg_temp.hit(id / 1000);
UPDATE events SET level = 'seen' WHERE pg_temp.hit(id / 240);
SELECT add_readings(:scale * 32000 + 1, :scale * 32160), add_events(:scale * 16000 + 1, :scale * 16080) \g /dev/null

\connect papers
SELECT setseed(0.875) \g /dev/null
CREATE FUNCTION pg_temp.hit(run bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT hashint8extended(run, 4) & 63 = 0';
UPDATE documents SET title = words(3, 9), written = '2026-05-02' WHERE pg_temp.hit(id / 28);
SELECT add_documents(:scale * 1600 + 1, :scale * 1608) \g /dev/null
