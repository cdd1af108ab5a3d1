-- Selfies are kept until some time after the decision about their report; then the bytes go, and what was measured stays.

ALTER TABLE sdcrs.evidence ADD COLUMN erased_at timestamptz;  -- the file's bytes were given up
CREATE INDEX evidence_selfie_kept ON sdcrs.evidence (created_at) WHERE evidence_type = 'REPORTER_SELFIE' AND erased_at IS NULL;

ALTER TABLE sdcrs.file
    ADD COLUMN removed_at timestamptz,  -- the bytes are gone from the store as well
    ADD CHECK (removed_at IS NULL OR erased_at IS NOT NULL);
CREATE INDEX file_to_remove ON sdcrs.file (erased_at) WHERE erased_at IS NOT NULL AND removed_at IS NULL;
