CREATE TABLE form_job (
	id INTEGER NOT NULL, 
	receipt_id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	point VARCHAR(40) NOT NULL, 
	device_group VARCHAR(40) NOT NULL, 
	device VARCHAR(40) NOT NULL, 
	form VARCHAR(40) NOT NULL, 
	sheet VARCHAR(40) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	reason VARCHAR(200) NOT NULL, 
	attempts INTEGER NOT NULL, 
	confirmed_at INTEGER NOT NULL, 
	confirmed_by VARCHAR(80) NOT NULL, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_form_job_sheet UNIQUE (sheet)
);
CREATE INDEX ix_form_job_receipt ON form_job (receipt_id);
CREATE INDEX ix_form_job_state ON form_job (state, id);
CREATE TABLE form_attempt (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	device VARCHAR(40) NOT NULL, 
	started_at INTEGER NOT NULL, 
	ended_at INTEGER NOT NULL, 
	outcome VARCHAR(12) NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_form_attempt_job ON form_attempt (job_id, attempt);
