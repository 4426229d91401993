CREATE INDEX ix_sheet_act_request ON sheet_act (unit, code, id) WHERE op = 'REQUEST';
