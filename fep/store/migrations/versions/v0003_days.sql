CREATE TABLE receipt_fact (
	receipt_id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	cashier VARCHAR(50) NOT NULL, 
	channels TEXT NOT NULL, 
	PRIMARY KEY (receipt_id)
);
CREATE INDEX ix_receipt_fact_day ON receipt_fact (unit, day, receipt_id);
CREATE TABLE day_close (
	unit VARCHAR(40) NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	closed_at INTEGER NOT NULL, 
	high_id INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	net_fen INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	sm3 BLOB NOT NULL, 
	cert_serial VARCHAR(40) NOT NULL, 
	der BLOB NOT NULL, 
	PRIMARY KEY (unit, day)
);
CREATE INDEX ix_sheet_at ON sheet (at);
