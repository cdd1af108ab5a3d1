-- The three searches that every validation makes, with indexes for what they ask. Nothing else changes.

-- The part of the hash first: numbers are compared faster than names of tenants, and hardly two tenants share one (a tenth of
-- the photo search, measured).
DROP INDEX sdcrs.evidence_band0, sdcrs.evidence_band1, sdcrs.evidence_band2, sdcrs.evidence_band3;
CREATE INDEX evidence_band0 ON sdcrs.evidence (band0, tenant_id, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band1 ON sdcrs.evidence (band1, tenant_id, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band2 ON sdcrs.evidence (band2, tenant_id, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band3 ON sdcrs.evidence (band3, tenant_id, created_at) INCLUDE (phash) WHERE evidence_type = 'DOG_PHOTO';

-- A cell is 0.005 degrees, about 550 m, where it was 220 m: the 500 m around a report lie in 8 of them where they lay in 30.
DROP INDEX sdcrs.report_by_cell;
CREATE INDEX report_by_cell ON sdcrs.report (tenant_id, (floor(latitude * 200)::int), (floor(longitude * 200)::int), created_at);

-- What people said is asked for every pair that is found, and is said of few.
CREATE INDEX pair_decided ON fraud.pair (later_id, earlier_id) WHERE decision = 'NOT_DUPLICATE';
