-- What nobody writes goes; a bank reference is found by an index; a client's own key is kept as its hash alone.

ALTER TABLE packet.log DROP COLUMN sealed;

CREATE INDEX attempt_by_utr ON payout.attempt (utr) WHERE utr IS NOT NULL;
CREATE INDEX payout_by_utr ON payout.payout (utr) WHERE utr IS NOT NULL;
CREATE INDEX payout_by_manual_reference ON payout.payout (manual_reference) WHERE manual_reference IS NOT NULL;

UPDATE sdcrs.request_key SET key = 'key:' || encode(sha256(convert_to(substr(key, 5), 'UTF8')), 'hex') WHERE key LIKE 'key:%';
UPDATE sdcrs.request_key SET key = 'msg:' || encode(sha256(convert_to(substr(key, 5), 'UTF8')), 'hex') WHERE key LIKE 'msg:%';
