CREATE TABLE payment (
	id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	"key" VARCHAR(50) NOT NULL, 
	op VARCHAR(8) NOT NULL, 
	way VARCHAR(8) NOT NULL, 
	terminal VARCHAR(40) NOT NULL, 
	serial VARCHAR(20) NOT NULL, 
	amount_fen INTEGER NOT NULL, 
	of_id INTEGER NOT NULL, 
	receipt_key VARCHAR(50) NOT NULL, 
	caller VARCHAR(40) NOT NULL, 
	operator VARCHAR(50) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	acked BOOLEAN NOT NULL, 
	fault VARCHAR(40) NOT NULL, 
	host_code VARCHAR(8) NOT NULL, 
	text VARCHAR(100) NOT NULL, 
	pan VARCHAR(24) NOT NULL, 
	batch VARCHAR(12) NOT NULL, 
	trace VARCHAR(12) NOT NULL, 
	ref VARCHAR(24) NOT NULL, 
	auth VARCHAR(12) NOT NULL, 
	host_at VARCHAR(20) NOT NULL, 
	created_at INTEGER NOT NULL, 
	sent_at INTEGER NOT NULL, 
	ended_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	inquiries INTEGER NOT NULL, 
	settled_id INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_payment_batch ON payment (terminal, settled_id);
CREATE INDEX ix_payment_of ON payment (of_id);
CREATE INDEX ix_payment_receipt ON payment (unit, receipt_key);
CREATE INDEX ix_payment_state ON payment (state, terminal);
CREATE UNIQUE INDEX uq_payment_key ON payment (unit, "key");
CREATE UNIQUE INDEX uq_payment_serial ON payment (serial);
CREATE TABLE settlement (
	id INTEGER NOT NULL, 
	terminal VARCHAR(40) NOT NULL, 
	batch VARCHAR(12) NOT NULL, 
	at INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	amount_fen INTEGER NOT NULL, 
	refunds INTEGER NOT NULL, 
	refunds_fen INTEGER NOT NULL, 
	our_count INTEGER NOT NULL, 
	our_amount_fen INTEGER NOT NULL, 
	our_refunds INTEGER NOT NULL, 
	our_refunds_fen INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
