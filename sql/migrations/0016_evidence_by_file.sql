-- Which report a file belongs to: asked when a photo is opened, and of every selfie that is to go. Without it each asks the whole table.

CREATE INDEX evidence_by_file ON sdcrs.evidence (file_id);
