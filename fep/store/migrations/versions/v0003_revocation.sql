CREATE TABLE unit_revocation (
	unit VARCHAR(40) NOT NULL, 
	serial VARCHAR(40) NOT NULL, 
	at INTEGER NOT NULL, 
	reason VARCHAR(200) NOT NULL, 
	PRIMARY KEY (unit, serial)
);
