-- What is measured of a photo beyond its hash, at upload. NULL: uploaded before this was measured, or it could not be.

ALTER TABLE sdcrs.file
    ADD COLUMN exif_make      text,
    ADD COLUMN exif_model     text,
    ADD COLUMN blur_score     double precision CHECK (blur_score BETWEEN 0 AND 1),      -- 1 is sharp
    ADD COLUMN exposure_score double precision CHECK (exposure_score BETWEEN 0 AND 1),  -- 1 is well lit
    ADD COLUMN brightness     double precision CHECK (brightness BETWEEN 0 AND 1),      -- the mean; 0 is black
    ADD COLUMN faces          int CHECK (faces >= 0);
