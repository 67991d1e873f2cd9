-- Times are milliseconds since 1970 in UTC. Digests, ids of challenges and serial numbers (magnitude, big endian) are BLOBs.
-- Migrations only go forward, and a file that was ever released is never edited.

CREATE TABLE challenges (
    id          BLOB    NOT NULL PRIMARY KEY,
    keyed_hash  BLOB    NOT NULL,
    binding     BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER,
    used_by     TEXT,
    used_csr    BLOB,
    used_key    BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id                  TEXT    NOT NULL PRIMARY KEY,
    protocol            TEXT    NOT NULL,
    profile             TEXT    NOT NULL,
    transaction_id      TEXT    NOT NULL,
    message_digest      BLOB    NOT NULL,
    renewal             INTEGER NOT NULL,
    signer_key_digest   BLOB,
    key_digest          BLOB,
    claims              BLOB,
    subject             TEXT,
    san                 TEXT    NOT NULL,
    key_kind            TEXT,
    template            TEXT,
    user_name           TEXT,
    device              TEXT,
    state               TEXT    NOT NULL,
    reason              TEXT,
    detail              TEXT,
    certificate_issuer  TEXT,
    certificate_serial  BLOB,
    renews              BLOB,
    challenge           TEXT,
    context             TEXT    NOT NULL,
    received_at         INTEGER NOT NULL,
    decided_at          INTEGER,
    decided_by          TEXT
) STRICT, WITHOUT ROWID;

-- Ids are UUIDs of version 7, so the order of ids is the order of arrival: "newest first" needs no column of its own.
CREATE INDEX requests_by_message ON requests (profile, message_digest, id);
-- Nearly all requests end as issued: those are found by their order of arrival.
CREATE INDEX requests_by_state ON requests (state, id) WHERE state <> 'issued';
-- Apart from the refused ones, so that a peer who floods one transaction with refusals cannot slow down its owner.
CREATE INDEX requests_living ON requests (transaction_id, profile, id) WHERE state <> 'denied';
CREATE INDEX requests_refused ON requests (transaction_id, id) WHERE state = 'denied';

-- The number is the order of creation, and keeps the references short.
CREATE TABLE certificates (
    id                  INTEGER NOT NULL PRIMARY KEY,
    issuer              TEXT    NOT NULL,
    serial              BLOB    NOT NULL,
    request             TEXT    NOT NULL,
    template            TEXT,
    template_revision   INTEGER,
    profile             TEXT,
    subject             TEXT    NOT NULL,
    san                 TEXT    NOT NULL,
    user_name           TEXT,
    device              TEXT,
    not_before          INTEGER NOT NULL,
    not_after           INTEGER NOT NULL,
    key_digest          BLOB    NOT NULL,
    created_at          INTEGER NOT NULL,
    signed              INTEGER NOT NULL,
    revoked_at          INTEGER,
    revocation_reason   INTEGER,
    predecessor         BLOB,
    successor           BLOB,
    search              TEXT    NOT NULL,
    UNIQUE (serial, issuer)
) STRICT;

-- The bytes stand apart: searching and counting then read rows of some hundred octets instead of some thousand.
CREATE TABLE certificate_bodies (
    certificate         INTEGER NOT NULL PRIMARY KEY REFERENCES certificates (id),
    tbs                 BLOB    NOT NULL,
    der                 BLOB
) STRICT;

-- Everything that a CRL lists is in the index, so that making one never reads the table.
CREATE INDEX certificates_revoked ON certificates (issuer, not_after, serial, revoked_at, revocation_reason)
    WHERE revoked_at IS NOT NULL;
CREATE INDEX certificates_living ON certificates (not_after) WHERE signed = 1 AND revoked_at IS NULL;
CREATE INDEX certificates_open ON certificates (created_at) WHERE signed = 0;

-- What a writer locks while it appends to the audit log: the last record, and the highest time that was ever signed.
CREATE TABLE head (
    id                  INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq                 INTEGER NOT NULL,
    hash                BLOB    NOT NULL,
    highest             INTEGER NOT NULL,
    -- How many certificates were ever revoked: a CRL that was begun at an earlier count is not complete.
    revocations         INTEGER NOT NULL
) STRICT;
INSERT INTO head (id, seq, hash, highest, revocations) VALUES (1, 0, zeroblob(32), 0, 0);

-- Who does the work that only one node may do. `fence` rises with every new holder, `beat` with every sign of life.
CREATE TABLE leases (
    name                TEXT    NOT NULL PRIMARY KEY,
    holder              TEXT    NOT NULL,
    fence               INTEGER NOT NULL,
    beat                INTEGER NOT NULL
) STRICT;

CREATE TABLE crl_numbers (
    issuer              TEXT    NOT NULL PRIMARY KEY,
    number              INTEGER NOT NULL
) STRICT;

CREATE TABLE crls (
    issuer              TEXT    NOT NULL,
    number              INTEGER NOT NULL,
    this_update         INTEGER NOT NULL,
    next_update         INTEGER NOT NULL,
    der                 BLOB    NOT NULL,
    revocations         INTEGER NOT NULL,
    PRIMARY KEY (issuer, number)
) STRICT;

CREATE TABLE sealed_keys (
    id                  TEXT    NOT NULL PRIMARY KEY,
    sealed              BLOB    NOT NULL,
    created_at          INTEGER NOT NULL
) STRICT;

CREATE TABLE authorities (
    id                  INTEGER NOT NULL PRIMARY KEY,
    name                TEXT    NOT NULL,
    role                TEXT    NOT NULL,
    certificate         BLOB    NOT NULL,
    key_id              TEXT    NOT NULL,
    not_before          INTEGER NOT NULL,
    not_after           INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    name                TEXT    NOT NULL PRIMARY KEY,
    body                TEXT    NOT NULL
) STRICT;

CREATE TABLE devices (
    id                  TEXT    NOT NULL PRIMARY KEY,
    body                TEXT    NOT NULL
) STRICT;

CREATE TABLE settings (
    name                TEXT    NOT NULL PRIMARY KEY,
    value               BLOB    NOT NULL
) STRICT;

-- What the health check writes.
CREATE TABLE heartbeat (
    id                  INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    beats               INTEGER NOT NULL
) STRICT;
INSERT INTO heartbeat (id, beats) VALUES (1, 0);

-- hash = SHA-256("lanyard-audit-v1" || prev || event); prev of the first record is 32 zero octets.
CREATE TABLE audit (
    seq                 INTEGER NOT NULL PRIMARY KEY,
    event               BLOB    NOT NULL,
    request             TEXT,
    prev                BLOB    NOT NULL,
    hash                BLOB    NOT NULL
) STRICT;
CREATE INDEX audit_of_request ON audit (request, seq) WHERE request IS NOT NULL;

CREATE TABLE audit_heads (
    id                  INTEGER NOT NULL PRIMARY KEY,
    sequence            INTEGER NOT NULL,
    hash                BLOB    NOT NULL,
    at                  INTEGER NOT NULL,
    signature           BLOB    NOT NULL
) STRICT;

-- These stop our own mistakes; an attacker with the file is seen by the chain and its signed heads.
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_no_update BEFORE UPDATE ON audit_heads BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
