-- name: report
-- The one report that the transaction's tracking id or token names, with its timeline as a list of {action, state, at}; no personal value.
SELECT tenant_id, report_number, tracking_id, status, locality, ward_code, created_at, resolved_at, timeline
FROM sdcrs.public_tracking LIMIT 1
