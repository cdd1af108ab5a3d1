DROP VIEW IF EXISTS sdcrs.public_tracking;
CREATE VIEW sdcrs.public_tracking WITH (security_invoker = true) AS
SELECT r.tenant_id, r.report_number, r.tracking_id, r.status, r.locality, r.ward_code, r.created_at, r.resolved_at,
       (SELECT jsonb_agg(jsonb_build_object('action', h.action, 'state', h.to_state, 'at', h.occurred_at) ORDER BY h.version)
        FROM sdcrs.report_history h WHERE h.report_id = r.id) AS timeline
FROM sdcrs.report r;
