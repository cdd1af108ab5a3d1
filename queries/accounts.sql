-- name: own
-- What somebody's own account says beside the session.
SELECT school_code, designation FROM access.account WHERE id = :id

-- name: here
-- Whether an account is of the caller's area: one row, or none.
SELECT a.id FROM access.account a WHERE a.id = CAST(:id AS uuid)
