-- Duplicates: the photo search answered from its indexes alone, and every candidate pair of reports with what people said of it.

-- The four parts of the hash as before, now with the whole hash beside them: of some thousand candidates at nine million photos
-- only those that are near enough are read from the table (a twentieth of the time, measured).
DROP INDEX sdcrs.evidence_band0, sdcrs.evidence_band1, sdcrs.evidence_band2, sdcrs.evidence_band3;
CREATE INDEX evidence_band0 ON sdcrs.evidence (tenant_id, band0, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band1 ON sdcrs.evidence (tenant_id, band1, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band2 ON sdcrs.evidence (tenant_id, band2, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band3 ON sdcrs.evidence (tenant_id, band3, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';
-- An index alone answers for pages that a vacuum has seen; at the default a fifth of all photos, the newest, would wait for one.
ALTER TABLE sdcrs.evidence SET (autovacuum_vacuum_insert_scale_factor = 0.01);

-- Two reports that may be one, as found when the later of the two was validated. No foreign keys: their locks would make two
-- workers wait for each other's reports, and reports are never removed.
CREATE TABLE fraud.pair (
    id          uuid             PRIMARY KEY,
    tenant_id   text             NOT NULL,
    earlier_id  uuid             NOT NULL,
    later_id    uuid             NOT NULL,
    kind        text             NOT NULL CHECK (kind IN ('PHOTO_EXACT', 'PHOTO_SIMILAR', 'CLUSTER')),
    similarity  double precision NOT NULL CHECK (similarity BETWEEN 0 AND 1),  -- of the dog photos: 1 less the share of differing bits
    metres      double precision NOT NULL CHECK (metres >= 0),                 -- between the reported places
    minutes     double precision NOT NULL CHECK (minutes >= 0),                -- between the receipts
    found_at    timestamptz      NOT NULL,
    decision    text             CHECK (decision IN ('NOT_DUPLICATE')),        -- what a person said; NULL: nobody did
    decided_at  timestamptz,
    decided_by  uuid,
    UNIQUE (later_id, earlier_id),
    CHECK (earlier_id < later_id),  -- ids rise with time, so a pair has one row
    CHECK ((decided_at IS NULL) = (decision IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL))
);
CREATE INDEX pair_by_earlier ON fraud.pair (earlier_id);
