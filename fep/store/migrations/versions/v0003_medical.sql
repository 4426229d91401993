CREATE TABLE medical_bill (
	unit VARCHAR(40) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	red INTEGER NOT NULL, 
	bus_no VARCHAR(50) NOT NULL, 
	bus_type VARCHAR(20) NOT NULL, 
	bus_at VARCHAR(17) NOT NULL, 
	place VARCHAR(50) NOT NULL, 
	card_no VARCHAR(50) NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (unit, "key")
);
CREATE INDEX ix_medical_bill_at ON medical_bill (unit, bus_at);
CREATE INDEX ix_medical_bill_card ON medical_bill (unit, card_no) WHERE card_no <> '';
CREATE INDEX ix_medical_bill_no ON medical_bill (unit, bus_no);
CREATE TABLE medical_name (
    unit VARCHAR(40) NOT NULL,
    bus_no VARCHAR(50) NOT NULL,
    "key" VARCHAR(64) NOT NULL,
    PRIMARY KEY (unit, bus_no)
);
CREATE TABLE medical_batch (
	unit VARCHAR(40) NOT NULL, 
	caller VARCHAR(64) NOT NULL, 
	batch VARCHAR(60) NOT NULL, 
	place INTEGER NOT NULL, 
	bus_no VARCHAR(50) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	fault TEXT NOT NULL, 
	PRIMARY KEY (unit, caller, batch, place)
);
