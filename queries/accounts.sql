-- name: own
-- What somebody's own account says beside the session.
SELECT school_code, designation FROM access.account WHERE id = :id
