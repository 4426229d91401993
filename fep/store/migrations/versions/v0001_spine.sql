CREATE TABLE burn (
	code VARCHAR(8) NOT NULL, 
	number VARCHAR(10) NOT NULL, 
	at INTEGER NOT NULL, 
	reason VARCHAR(40) NOT NULL, 
	evidence TEXT NOT NULL, 
	PRIMARY KEY (code, number)
);
CREATE TABLE certificate (
	id INTEGER NOT NULL, 
	serial VARCHAR(40) NOT NULL, 
	sm3 BLOB NOT NULL, 
	subject TEXT NOT NULL, 
	der BLOB NOT NULL, 
	added_at INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (sm3)
);
CREATE TABLE event (
	id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	caller VARCHAR(40) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	digest BLOB NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	received_at INTEGER NOT NULL, 
	reason VARCHAR(40) DEFAULT '' NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_event_key UNIQUE (unit, "key")
);
CREATE INDEX ix_event_queued ON event (id) WHERE state = 'queued';
CREATE TABLE journal (
	seq INTEGER NOT NULL, 
	line BLOB NOT NULL, 
	hash BLOB NOT NULL, 
	PRIMARY KEY (seq)
);
CREATE TABLE link_batch (
	id INTEGER NOT NULL, 
	dest VARCHAR(40) NOT NULL, 
	channel INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	kind INTEGER NOT NULL, 
	first_rec INTEGER NOT NULL, 
	n_rec INTEGER NOT NULL, 
	sm3 BLOB NOT NULL, 
	bytes BLOB, 
	state VARCHAR(12) NOT NULL, 
	tries INTEGER DEFAULT '0' NOT NULL, 
	created_at INTEGER NOT NULL, 
	written_at INTEGER DEFAULT '0' NOT NULL, 
	next_at INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_link_batch UNIQUE (dest, channel, epoch, seq)
);
CREATE INDEX ix_link_batch_open ON link_batch (dest, next_at) WHERE state <> 'acked';
CREATE TABLE link_head (
	dest VARCHAR(40) NOT NULL, 
	channel INTEGER NOT NULL, 
	direction VARCHAR(3) NOT NULL, 
	epoch INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	rec_seq INTEGER NOT NULL, 
	batch_sm3 BLOB NOT NULL, 
	rec_hash BLOB NOT NULL, 
	PRIMARY KEY (dest, channel, direction)
);
CREATE TABLE link_in (
	dest VARCHAR(40) NOT NULL, 
	channel INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	sm3 BLOB NOT NULL, 
	kind INTEGER NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	plain BLOB, 
	received_at INTEGER NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (dest, channel, epoch, seq)
);
CREATE TABLE link_state (
	dest VARCHAR(40) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	reason VARCHAR(80) NOT NULL, 
	since_at INTEGER NOT NULL, 
	last_heard_at INTEGER NOT NULL, 
	offline_ms INTEGER DEFAULT '0' NOT NULL, 
	platform_offset_ms INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (dest)
);
CREATE TABLE meta (
	name VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE number_block (
	id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	code VARCHAR(8) NOT NULL, 
	first INTEGER NOT NULL, 
	last INTEGER NOT NULL, 
	next INTEGER NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	evidence TEXT NOT NULL, 
	granted_at INTEGER NOT NULL, 
	not_after INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_number_block UNIQUE (code, first), 
	CONSTRAINT ck_block CHECK (first <= last AND next >= first AND next <= last + 1)
);
CREATE INDEX ix_number_block_active ON number_block (unit, code, first) WHERE state = 'active';
CREATE TABLE original (
	receipt_id INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (receipt_id)
);
CREATE TABLE print_attempt (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	device VARCHAR(40) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	fence_id VARCHAR(8) NOT NULL, 
	started_at INTEGER NOT NULL, 
	first_byte_at INTEGER DEFAULT '0' NOT NULL, 
	ended_at INTEGER DEFAULT '0' NOT NULL, 
	outcome VARCHAR(12) DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_print_attempt_job ON print_attempt (job_id, attempt);
CREATE TABLE print_job (
	id INTEGER NOT NULL, 
	receipt_id INTEGER NOT NULL, 
	device_group VARCHAR(40) NOT NULL, 
	device VARCHAR(40) DEFAULT '' NOT NULL, 
	kind_of_sheet VARCHAR(12) NOT NULL, 
	copy INTEGER NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	reason VARCHAR(200) DEFAULT '' NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	next_at INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_print_job_due ON print_job (device_group, id) WHERE state = 'due';
CREATE INDEX ix_print_job_open ON print_job (state, id) WHERE state IN ('streaming','uncertain');
CREATE INDEX ix_print_job_receipt ON print_job (receipt_id);
CREATE TABLE receipt (
	id INTEGER NOT NULL, 
	event_id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	point VARCHAR(40) NOT NULL, 
	code VARCHAR(8) NOT NULL, 
	number VARCHAR(10) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	amount_fen INTEGER NOT NULL, 
	check_code VARCHAR(6) NOT NULL, 
	payer VARCHAR(100) NOT NULL, 
	issued_at INTEGER NOT NULL, 
	issued_on VARCHAR(10) NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_receipt_number UNIQUE (code, number), 
	CONSTRAINT ck_receipt_number CHECK (length(number) = 10)
);
CREATE INDEX ix_receipt_day ON receipt (unit, issued_on, id);
CREATE INDEX ix_receipt_event ON receipt (event_id);
CREATE INDEX ix_receipt_frozen ON receipt (id) WHERE state = 'frozen';
CREATE TABLE signature (
	receipt_id INTEGER NOT NULL, 
	cert_id INTEGER NOT NULL, 
	signed_at INTEGER NOT NULL, 
	der BLOB NOT NULL, 
	PRIMARY KEY (receipt_id)
);
CREATE TABLE supervision (
	receipt_id INTEGER NOT NULL, 
	signed_at INTEGER NOT NULL, 
	cert_serial VARCHAR(40) NOT NULL, 
	der BLOB NOT NULL, 
	PRIMARY KEY (receipt_id)
);
CREATE TABLE upload (
	id INTEGER NOT NULL, 
	receipt_id INTEGER NOT NULL, 
	dest VARCHAR(40) NOT NULL, 
	op VARCHAR(16) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	rec_seq INTEGER DEFAULT '0' NOT NULL, 
	batch_seq INTEGER DEFAULT '0' NOT NULL, 
	result VARCHAR(40) DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	updated_at INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_upload_due ON upload (dest, id) WHERE state = 'due';
CREATE INDEX ix_upload_open ON upload (dest, state, id) WHERE state <> 'applied';
CREATE INDEX ix_upload_rec ON upload (dest, rec_seq);
CREATE INDEX ix_upload_receipt ON upload (receipt_id);
