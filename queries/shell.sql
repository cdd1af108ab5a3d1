-- name: worker_last_seen
-- One row: when any worker last said that it lives; NULL when none ever did.
SELECT max(seen_at) AS seen_at FROM jobs.heartbeat

-- name: demo_accounts
-- Those of the given user names that the demo made and that may sign in, at most 50.
SELECT username FROM access.account WHERE username = ANY (:usernames) AND demo AND active ORDER BY username LIMIT 50

-- name: has_demo
-- One row: whether the caller's area holds accounts that the demo made.
SELECT EXISTS (SELECT 1 FROM access.account WHERE demo) AS demo

-- name: has_accounts
-- One row: whether anybody could sign in at all.
SELECT EXISTS (SELECT 1 FROM access.account) AS any
