CREATE TABLE link_letter (
	id INTEGER NOT NULL, 
	dest VARCHAR(40) NOT NULL, 
	channel INTEGER NOT NULL, 
	op VARCHAR(16) NOT NULL, 
	idem VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	rec_seq INTEGER DEFAULT '0' NOT NULL, 
	batch_seq INTEGER DEFAULT '0' NOT NULL, 
	result VARCHAR(40) DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_link_letter_open ON link_letter (dest, channel, state, id) WHERE state <> 'applied';
CREATE UNIQUE INDEX uq_link_letter ON link_letter (dest, channel, idem);
CREATE TABLE link_cert (
	dest VARCHAR(40) NOT NULL, 
	serial VARCHAR(40) NOT NULL, 
	der BLOB NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	at INTEGER NOT NULL, 
	evidence TEXT NOT NULL, 
	PRIMARY KEY (dest, serial)
);
