-- Written for PostgreSQL 13 and later. Text is compared octet by octet (collation C).
-- Times are milliseconds since 1970 in UTC. Digests, ids of challenges and serial numbers (magnitude, big endian) are BYTEA.
-- Migrations only go forward, and a file that was ever released is never edited.

CREATE TABLE challenges (
    id                  BYTEA NOT NULL PRIMARY KEY,
    keyed_hash          BYTEA NOT NULL,
    binding             BYTEA NOT NULL,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    used_at             BIGINT,
    used_by             TEXT COLLATE "C",
    used_csr            BYTEA,
    used_key            BYTEA
);

CREATE TABLE requests (
    id                  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    protocol            TEXT COLLATE "C"    NOT NULL,
    profile             TEXT COLLATE "C"    NOT NULL,
    transaction_id      TEXT COLLATE "C"    NOT NULL,
    message_digest      BYTEA NOT NULL,
    renewal             BIGINT NOT NULL,
    signer_key_digest   BYTEA,
    key_digest          BYTEA,
    claims              BYTEA,
    subject             TEXT COLLATE "C",
    san                 TEXT COLLATE "C"    NOT NULL,
    key_kind            TEXT COLLATE "C",
    template            TEXT COLLATE "C",
    user_name           TEXT COLLATE "C",
    device              TEXT COLLATE "C",
    state               TEXT COLLATE "C"    NOT NULL,
    reason              TEXT COLLATE "C",
    detail              TEXT COLLATE "C",
    certificate_issuer  TEXT COLLATE "C",
    certificate_serial  BYTEA,
    renews              BYTEA,
    challenge           TEXT COLLATE "C",
    context             TEXT COLLATE "C"    NOT NULL,
    received_at         BIGINT NOT NULL,
    decided_at          BIGINT,
    decided_by          TEXT COLLATE "C"
);

-- Ids are UUIDs of version 7, so the order of ids is the order of arrival: "newest first" needs no column of its own.
CREATE INDEX requests_by_message ON requests (profile, message_digest, id);
-- Nearly all requests end as issued: those are found by their order of arrival.
CREATE INDEX requests_by_state ON requests (state, id) WHERE state <> 'issued';
-- Apart from the refused ones, so that a peer who floods one transaction with refusals cannot slow down its owner.
CREATE INDEX requests_living ON requests (transaction_id, profile, id) WHERE state <> 'denied';
CREATE INDEX requests_refused ON requests (transaction_id, id) WHERE state = 'denied';

-- The number is the order of creation, and keeps the references short.
CREATE TABLE certificates (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer              TEXT COLLATE "C"    NOT NULL,
    serial              BYTEA NOT NULL,
    request             TEXT COLLATE "C"    NOT NULL,
    template            TEXT COLLATE "C",
    template_revision   BIGINT,
    profile             TEXT COLLATE "C",
    subject             TEXT COLLATE "C"    NOT NULL,
    san                 TEXT COLLATE "C"    NOT NULL,
    user_name           TEXT COLLATE "C",
    device              TEXT COLLATE "C",
    not_before          BIGINT NOT NULL,
    not_after           BIGINT NOT NULL,
    key_digest          BYTEA NOT NULL,
    created_at          BIGINT NOT NULL,
    signed              BIGINT NOT NULL,
    revoked_at          BIGINT,
    revocation_reason   BIGINT,
    predecessor         BYTEA,
    successor           BYTEA,
    search              TEXT COLLATE "C"    NOT NULL,
    UNIQUE (serial, issuer)
);

-- The bytes stand apart: searching and counting then read rows of some hundred octets instead of some thousand.
CREATE TABLE certificate_bodies (
    certificate         BIGINT NOT NULL PRIMARY KEY REFERENCES certificates (id),
    tbs                 BYTEA NOT NULL,
    der                 BYTEA
);

-- Everything that a CRL lists is in the index, so that making one never reads the table.
CREATE INDEX certificates_revoked ON certificates (issuer, not_after, serial, revoked_at, revocation_reason)
    WHERE revoked_at IS NOT NULL;
CREATE INDEX certificates_living ON certificates (not_after) WHERE signed = 1 AND revoked_at IS NULL;
CREATE INDEX certificates_open ON certificates (created_at) WHERE signed = 0;

-- What a writer locks while it appends to the audit log: the last record, and the highest time that was ever signed.
CREATE TABLE head (
    id                  BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq                 BIGINT NOT NULL,
    hash                BYTEA NOT NULL,
    highest             BIGINT NOT NULL,
    -- How many certificates were ever revoked: a CRL that was begun at an earlier count is not complete.
    revocations         BIGINT NOT NULL
);
INSERT INTO head (id, seq, hash, highest, revocations) VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, 0);

-- Who does the work that only one node may do. `fence` rises with every new holder, `beat` with every sign of life.
CREATE TABLE leases (
    name                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder              TEXT COLLATE "C" NOT NULL,
    fence               BIGINT NOT NULL,
    beat                BIGINT NOT NULL
);

CREATE TABLE crl_numbers (
    issuer              TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    number              BIGINT NOT NULL
);

CREATE TABLE crls (
    issuer              TEXT COLLATE "C"    NOT NULL,
    number              BIGINT NOT NULL,
    this_update         BIGINT NOT NULL,
    next_update         BIGINT NOT NULL,
    der                 BYTEA NOT NULL,
    revocations         BIGINT NOT NULL,
    PRIMARY KEY (issuer, number)
);

CREATE TABLE sealed_keys (
    id                  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    sealed              BYTEA NOT NULL,
    created_at          BIGINT NOT NULL
);

CREATE TABLE authorities (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                TEXT COLLATE "C"    NOT NULL,
    role                TEXT COLLATE "C"    NOT NULL,
    certificate         BYTEA NOT NULL,
    key_id              TEXT COLLATE "C"    NOT NULL,
    not_before          BIGINT NOT NULL,
    not_after           BIGINT NOT NULL
);

CREATE TABLE users (
    name                TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    body                TEXT COLLATE "C"    NOT NULL
);

CREATE TABLE devices (
    id                  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    body                TEXT COLLATE "C"    NOT NULL
);

CREATE TABLE settings (
    name                TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    value               BYTEA NOT NULL
);

-- What the health check writes.
CREATE TABLE heartbeat (
    id                  BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    beats               BIGINT NOT NULL
);
INSERT INTO heartbeat (id, beats) VALUES (1, 0);

-- hash = SHA-256("lanyard-audit-v1" || prev || event); prev of the first record is 32 zero octets.
CREATE TABLE audit (
    seq                 BIGINT NOT NULL PRIMARY KEY,
    event               BYTEA NOT NULL,
    request             TEXT COLLATE "C",
    prev                BYTEA NOT NULL,
    hash                BYTEA NOT NULL
);
CREATE INDEX audit_of_request ON audit (request, seq) WHERE request IS NOT NULL;

CREATE TABLE audit_heads (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sequence            BIGINT NOT NULL,
    hash                BYTEA NOT NULL,
    at                  BIGINT NOT NULL,
    signature           BYTEA NOT NULL
);

-- These stop our own mistakes; an attacker with the database is seen by the chain and its signed heads.
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
