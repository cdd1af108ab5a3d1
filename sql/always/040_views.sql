DROP VIEW IF EXISTS sdcrs.public_tracking;
CREATE VIEW sdcrs.public_tracking WITH (security_invoker = true) AS
SELECT r.tenant_id, r.report_number, r.tracking_id, r.status, r.locality, r.ward_code, r.created_at, r.resolved_at,
       (SELECT jsonb_agg(jsonb_build_object('action', h.action, 'state', h.to_state, 'at', h.occurred_at) ORDER BY h.version)
        FROM sdcrs.report_history h WHERE h.report_id = r.id) AS timeline
FROM sdcrs.report r;

-- A payout with the attempt that counts. One row can serve as the facts of both. `open_since`: when the provider took what it has
-- not ended yet. `queue_but_for_age`: the queue in which a person finds it, unless it is stuck, which only a reader's clock tells.
DROP VIEW IF EXISTS payout.overview;
CREATE VIEW payout.overview WITH (security_invoker = true) AS
SELECT p.id, p.tenant_id, p.report_id, p.report_number, p.beneficiary_id, p.amount_paise, p.currency, p.cap_month, p.status,
       p.retry_count, p.utr, p.failure_reason, p.failure_text, p.next_retry_at, p.method, p.manual_reference, p.manual_amount_paise,
       p.manual_comment, p.manual_file_id, p.manual_exception, p.manual_requested_at, p.manual_requested_by, p.manual_approved_at,
       p.manual_approved_by, p.completed_at, p.needs_person, p.created_at, p.modified_at,
       a.id AS attempt_id, a.number, a.reference_id, a.phase, a.sends, a.provider_payout_id, a.provider_status, a.reason, a.reason_text,
       a.last_error, a.fees_paise, a.tax_paise, a.first_sent_at, a.accepted_at, a.next_send_at, a.next_poll_at,
       f.provider_contact_id AS contact_id, f.provider_fund_account_id AS fund_account,
       f.account_status, f.name_match, f.validated_at, y.status AS payee_status, y.score AS payee_score, y.source AS payee_source,
       y.account_name AS payee_account_name, y.checked_at AS payee_checked_at,
       CASE WHEN p.status IN ('INITIATED', 'PROCESSING') AND a.provider_rank BETWEEN 1 AND 4 THEN a.accepted_at END AS open_since,
       CASE WHEN p.manual_requested_at IS NOT NULL AND p.manual_approved_at IS NULL THEN 'APPROVAL'
            WHEN p.needs_person IS NOT NULL THEN 'PERSON'
            WHEN p.status = 'COMPLETED' THEN 'DONE'
            WHEN a.phase = 'REVIEW' THEN 'PERSON'
            WHEN p.status = 'REVERSED' THEN 'REVERSED'
            WHEN p.status = 'FAILED' AND p.next_retry_at IS NOT NULL THEN 'RETRYING'
            WHEN p.status = 'FAILED' THEN 'FAILED'
            WHEN a.phase = 'UNKNOWN' THEN 'UNKNOWN'
            WHEN a.provider_status = 'queued' AND a.reason = 'low_balance' THEN 'LOW_BALANCE'
            ELSE 'UNDER_WAY' END AS queue_but_for_age
FROM payout.payout p
JOIN payout.attempt a ON a.payout_id = p.id AND a.number = p.retry_count
LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id
LEFT JOIN payout.payee y ON y.account_id = p.beneficiary_id;

-- What was found in a report's last evaluation, one row a check and one row a rule that fired, failed or was skipped.
DROP VIEW IF EXISTS fraud.check_result;
CREATE VIEW fraud.check_result WITH (security_invoker = true) AS
SELECT e.report_id, e.tenant_id, c.name, c.position::int AS position, c.passed, c.measured, c."limit" AS limit_value, c.unit, c.reason,
       coalesce(c.details, '{}') AS details,
       CASE WHEN c.name = 'FRAUD_SCORE' THEN e.rules_version ELSE e.limits_version END AS rule_version, e.evaluated_at AS checked_at
FROM fraud.evaluation e
CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(e.checks) AS (name text, passed boolean, measured float8, "limit" float8, unit text,
                                                               reason text, details jsonb)) WITH ORDINALITY
    AS c (name, passed, measured, "limit", unit, reason, details, position)
WHERE NOT EXISTS (SELECT FROM fraud.evaluation n WHERE n.report_id = e.report_id AND n.number > e.number);
DROP VIEW IF EXISTS fraud.rule_result;
CREATE VIEW fraud.rule_result WITH (security_invoker = true) AS
SELECT e.report_id, e.tenant_id, r.outcome, r.id AS rule_id, r.code AS rule_code, r.name AS rule_name, r.category,
       r.type AS condition_type, coalesce(r.score, 0) AS score, r.weight, r.threshold, r.value, r.message,
       jsonb_strip_nulls(coalesce(r.details, '{}') || jsonb_build_object('threshold', r.threshold, 'actual', r.value)) AS details,
       coalesce(r.rejects, false) AS rejects, e.rules_version, e.evaluated_at
FROM fraud.evaluation e
CROSS JOIN LATERAL (
    SELECT 'FIRED' AS outcome, f.* FROM jsonb_to_recordset(e.fired)
        AS f (id text, code text, name text, category text, type text, score float8, weight float8, threshold jsonb, value jsonb,
              message text, details jsonb, rejects boolean)
    UNION ALL
    SELECT 'ERROR', f.* FROM jsonb_to_recordset(e.unevaluated)
        AS f (id text, code text, name text, category text, type text, score float8, weight float8, threshold jsonb, value jsonb,
              message text, details jsonb, rejects boolean)
    UNION ALL
    SELECT 'SKIPPED', x.id, NULL, NULL, NULL, 'EXTERNAL_VALIDATOR', 0, NULL, NULL, NULL, s.reason, NULL, NULL
    FROM jsonb_to_recordset(e.skipped) AS s (reason text, rules jsonb) CROSS JOIN LATERAL jsonb_array_elements_text(s.rules) AS x (id)
) r
WHERE NOT EXISTS (SELECT FROM fraud.evaluation n WHERE n.report_id = e.report_id AND n.number > e.number);
