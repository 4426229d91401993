DROP INDEX ix_upload_due;
DROP INDEX ix_upload_rec;
CREATE INDEX ix_upload_rec ON upload (dest, rec_seq) WHERE batch_seq > 0;
