CREATE TABLE batch (
	id INTEGER NOT NULL, 
	caller VARCHAR(64) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	digest BLOB NOT NULL, 
	count INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_batch_key UNIQUE (caller, "key")
);
CREATE TABLE batch_item (
	batch_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	event_id INTEGER NOT NULL, 
	unit VARCHAR(40) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	fault VARCHAR(40) DEFAULT '' NOT NULL, 
	why TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (batch_id, position)
);
