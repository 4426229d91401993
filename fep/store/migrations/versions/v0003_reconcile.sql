CREATE TABLE recon_run (
	id INTEGER NOT NULL, 
	dest VARCHAR(40) NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	asked_at INTEGER NOT NULL, 
	ended_at INTEGER DEFAULT '0' NOT NULL, 
	who VARCHAR(80) NOT NULL, 
	here TEXT DEFAULT '[]' NOT NULL, 
	there TEXT DEFAULT '[]' NOT NULL, 
	in_transit INTEGER DEFAULT '0' NOT NULL, 
	refused INTEGER DEFAULT '0' NOT NULL, 
	differences INTEGER DEFAULT '0' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_recon_run_day ON recon_run (dest, day, id);
CREATE TABLE recon_diff (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	dest VARCHAR(40) NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	gap VARCHAR(12) NOT NULL, 
	code VARCHAR(8) NOT NULL, 
	number VARCHAR(10) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	here_fen INTEGER NOT NULL, 
	there_fen INTEGER NOT NULL, 
	here_state VARCHAR(40) NOT NULL, 
	there_state VARCHAR(40) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	repair VARCHAR(12) NOT NULL, 
	found_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	reason VARCHAR(200) DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_recon_diff UNIQUE (dest, code, number, gap)
);
CREATE INDEX ix_recon_diff_day ON recon_diff (dest, day, id);
CREATE TABLE recon_answer (
	dest VARCHAR(40) NOT NULL, 
	ask VARCHAR(60) NOT NULL, 
	part INTEGER NOT NULL, 
	parts INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	at INTEGER NOT NULL, 
	PRIMARY KEY (dest, ask, part)
);
