CREATE TABLE reversal (
	red_id INTEGER NOT NULL, 
	blue_id INTEGER NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	reason VARCHAR(200) NOT NULL, 
	operator VARCHAR(50) NOT NULL, 
	booking VARCHAR(8) NOT NULL, 
	forced INTEGER DEFAULT '0' NOT NULL, 
	at INTEGER NOT NULL, 
	PRIMARY KEY (red_id)
);
CREATE UNIQUE INDEX uq_reversal_blue ON reversal (blue_id) WHERE state = 'live';
CREATE TABLE mark (
	receipt_id INTEGER NOT NULL, 
	name VARCHAR(12) NOT NULL, 
	value VARCHAR(12) NOT NULL, 
	at INTEGER NOT NULL, 
	evidence TEXT NOT NULL, 
	PRIMARY KEY (receipt_id, name)
);
CREATE TABLE sheet_block (
	id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	point VARCHAR(40) NOT NULL, 
	code VARCHAR(20) NOT NULL, 
	width INTEGER NOT NULL, 
	first INTEGER NOT NULL, 
	last INTEGER NOT NULL, 
	next INTEGER NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	evidence TEXT NOT NULL, 
	imported_at INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_sheet_block UNIQUE (code, width, first), 
	CONSTRAINT ck_sheets CHECK (first <= last AND next >= first AND next <= last + 1)
);
CREATE INDEX ix_sheet_block_active ON sheet_block (unit, point, id) WHERE state = 'active';
CREATE TABLE sheet (
	code VARCHAR(20) NOT NULL, 
	number VARCHAR(18) NOT NULL, 
	block_id INTEGER NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	receipt_id INTEGER DEFAULT '0' NOT NULL, 
	at INTEGER NOT NULL, 
	reason VARCHAR(200) DEFAULT '' NOT NULL, 
	evidence TEXT NOT NULL, 
	PRIMARY KEY (code, number)
);
CREATE INDEX ix_sheet_block ON sheet (block_id, number);
CREATE INDEX ix_sheet_receipt ON sheet (receipt_id);
CREATE UNIQUE INDEX uq_sheet_used ON sheet (receipt_id) WHERE state = 'used';
CREATE TABLE sheet_act (
	id INTEGER NOT NULL, 
	op VARCHAR(16) NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	code VARCHAR(20) NOT NULL, 
	number VARCHAR(18) NOT NULL, 
	receipt_id INTEGER DEFAULT '0' NOT NULL, 
	at INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
);
ALTER TABLE upload ADD COLUMN act_id INTEGER DEFAULT '0' NOT NULL;
ALTER TABLE upload ADD COLUMN revision INTEGER DEFAULT '0' NOT NULL;
