-- name: waiting
-- Drafts that are not decided, those to be decided first, then the newest; one row a draft with its author's user name.
SELECT d.id, d.tenant_id, d.rule_id, d.state, d.version, d.content, d.base, d.base_version, d.reason, d.trial, d.tried_at, d.created_at,
    d.created_by, d.submitted_at, d.modified_at, a.username AS author
FROM fraud.rule_draft d LEFT JOIN access.account a ON a.id = d.created_by
WHERE d.tenant_id = CAST(:state_id AS text) AND d.state IN ('DRAFT', 'SUBMITTED')
ORDER BY d.state = 'SUBMITTED' DESC, d.modified_at DESC, d.id LIMIT CAST(:limit AS bigint)

-- name: story
-- What became of a state's drafts, the newest first; of one rule, or (:rule_id NULL) of all.
SELECT d.id, d.rule_id, d.state, d.content, d.base, d.reason, d.trial, d.created_at, d.created_by, d.decided_at, d.decided_by,
    d.decision_comment, d.published_version, a.username AS author, b.username AS decider
FROM fraud.rule_draft d LEFT JOIN access.account a ON a.id = d.created_by LEFT JOIN access.account b ON b.id = d.decided_by
WHERE d.tenant_id = CAST(:state_id AS text) AND d.decided_at IS NOT NULL
  AND (CAST(:rule_id AS text) IS NULL OR d.rule_id = CAST(:rule_id AS text))
ORDER BY d.decided_at DESC, d.id LIMIT CAST(:limit AS bigint)

-- name: draft
-- One draft with the names of its author and of who decided it.
SELECT d.*, a.username AS author, b.username AS decider
FROM fraud.rule_draft d LEFT JOIN access.account a ON a.id = d.created_by LEFT JOIN access.account b ON b.id = d.decided_by
WHERE d.id = CAST(:id AS uuid)

-- name: versions
-- The newest version in which each rule was changed by a draft, one row a rule.
SELECT d.rule_id, max(d.published_version) AS version, max(d.decided_at) AS changed_at
FROM fraud.rule_draft d WHERE d.tenant_id = CAST(:state_id AS text) AND d.state = 'ACTIVATED' GROUP BY d.rule_id LIMIT 500
