-- name: reports_by_state
-- How many reports are in each state, over the given tenants; one row a state that has any. Counts by index alone.
SELECT s.state, sum(c.reports)::bigint AS reports
FROM unnest(CAST(:tenants AS text[])) AS t (id) CROSS JOIN unnest(CAST(:states AS text[])) AS s (state)
CROSS JOIN LATERAL (SELECT count(*) AS reports FROM sdcrs.report r WHERE r.tenant_id = t.id AND r.status = s.state) c
GROUP BY s.state HAVING sum(c.reports) > 0 ORDER BY s.state LIMIT 100

-- name: oldest_by_state
-- Since when the longest waiting report of each of the given states, none of them final, has been in it.
SELECT s.state, min(c.entered_at) AS entered_at
FROM unnest(CAST(:tenants AS text[])) AS t (id) CROSS JOIN unnest(CAST(:states AS text[])) AS s (state)
CROSS JOIN LATERAL (SELECT min(r.state_entered_at) AS entered_at FROM sdcrs.report r WHERE r.tenant_id = t.id AND r.status = s.state) c
WHERE c.entered_at IS NOT NULL GROUP BY s.state ORDER BY s.state LIMIT 100

-- name: failures
-- Per job: subjects that wait for another attempt, and those given up, which wait for a person.
SELECT job, count(*) FILTER (WHERE dead_at IS NULL) AS waiting, count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead
FROM jobs.failure GROUP BY job ORDER BY job LIMIT 200

-- name: flow
-- One row: when any worker last said that it lives, bytes that fell into a DEFAULT partition, the oldest webhook event not yet
-- taken in, the oldest message not yet sent, when the provider last told us anything, and how many payouts it has in hand.
SELECT (SELECT max(seen_at) FROM jobs.heartbeat) AS worker_seen_at,
       jobs.stray_partition_rows() AS stray_bytes,
       (SELECT min(received_at) FROM payout.webhook_event WHERE processed_at IS NULL) AS webhook_received_at,
       (SELECT min(created_at) FROM sdcrs.notification WHERE status = 'STORED') AS notification_created_at,
       (SELECT max(received_at) FROM payout.webhook_event) AS webhook_last_at,
       (SELECT count(*) FROM payout.attempt WHERE next_poll_at IS NOT NULL AND provider_rank < 5) AS at_provider

-- name: payouts
-- Payouts by status over the given tenants.
SELECT status, count(*) AS payouts FROM payout.payout WHERE tenant_id = ANY (CAST(:tenants AS text[])) GROUP BY status ORDER BY status LIMIT 20

-- name: payouts_by_age
-- How many payouts that are not settled have waited for how long, over the given tenants; one row an age that has any.
SELECT age, count(*) AS payouts FROM (
    SELECT CASE WHEN o.created_at > CAST(:now AS timestamptz) - interval '1 hour' THEN '1h'
                WHEN o.created_at > CAST(:now AS timestamptz) - interval '1 day' THEN '1d'
                WHEN o.created_at > CAST(:now AS timestamptz) - interval '3 days' THEN '3d'
                ELSE 'older' END AS age
    FROM payout.payout o WHERE o.tenant_id = ANY (CAST(:tenants AS text[])) AND o.status <> 'COMPLETED') pending
GROUP BY age ORDER BY age LIMIT 10

-- name: followers
-- How long the oldest row that a follower of the packet log, the history or the audit has not come to has waited is not asked for
-- here, since it costs a scan; how far each is behind in transactions tells the same.
SELECT name, greatest(0, (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - last_xid::text::bigint)) AS behind
FROM jobs.follower ORDER BY name LIMIT 50

-- name: schema
-- The newest migration of the database.
SELECT coalesce(max(number), 0) AS number FROM masterdata.migration

-- name: anybody
-- Some person with a stored field, to see whether our key opens it.
SELECT person_id, field FROM vault.person_field LIMIT 1
