CREATE TABLE old_import (
	id INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	file_sm3 VARCHAR(64) NOT NULL, 
	count INTEGER NOT NULL, 
	amount_fen INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE old_receipt (
	import_id INTEGER NOT NULL, 
	code VARCHAR(50) NOT NULL, 
	number VARCHAR(20) NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	"key" VARCHAR(50) NOT NULL, 
	check_code VARCHAR(20) NOT NULL, 
	payer VARCHAR(100) NOT NULL, 
	amount_fen INTEGER NOT NULL, 
	issued_at INTEGER NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (import_id, code, number)
);
CREATE INDEX ix_old_receipt_key ON old_receipt (unit, "key");
CREATE INDEX ix_old_receipt_name ON old_receipt (code, number);
CREATE TABLE old_reversal (
	red_id INTEGER NOT NULL, 
	code VARCHAR(50) NOT NULL, 
	number VARCHAR(20) NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	reason VARCHAR(200) NOT NULL, 
	operator VARCHAR(50) NOT NULL, 
	at INTEGER NOT NULL, 
	PRIMARY KEY (red_id)
);
CREATE UNIQUE INDEX uq_old_reversal ON old_reversal (code, number) WHERE state = 'live';
