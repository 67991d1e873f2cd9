-- What every request costs: a repeated message is found by its transaction, and a granted request by its open intent.
DROP INDEX requests_by_message;
DROP INDEX requests_by_state;
CREATE INDEX requests_by_state ON requests (state, id) WHERE state <> 'issued' AND state <> 'granted';
