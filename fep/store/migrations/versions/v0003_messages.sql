CREATE TABLE message (
	id INTEGER NOT NULL, 
	receipt_id INTEGER NOT NULL, 
	way VARCHAR(10) NOT NULL, 
	address VARCHAR(100) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	caller VARCHAR(64) NOT NULL, 
	at INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_message UNIQUE (receipt_id, way, address)
);
CREATE INDEX ix_message_waiting ON message (id) WHERE state = 'waiting';
