-- Windows devices under management: enrolments, the certificates that prove them, what they are to be told, and the session at hand.
CREATE TABLE enrollments (
    id                  TEXT    NOT NULL PRIMARY KEY,
    client              TEXT    NOT NULL,
    device              TEXT    NOT NULL,
    user_name           TEXT    NOT NULL,
    state               TEXT    NOT NULL,
    renews_from         BIGINT NOT NULL,
    -- Rises with every change: who changes says which one it saw.
    version             BIGINT NOT NULL,
    body                TEXT    NOT NULL
);
CREATE INDEX enrollments_of_client ON enrollments (client, id);
CREATE INDEX enrollments_of_user ON enrollments (user_name, id) WHERE state <> 'ended';
CREATE INDEX enrollments_due ON enrollments (renews_from, id) WHERE state = 'active';

CREATE TABLE enrollment_certificates (
    fingerprint         BYTEA    NOT NULL PRIMARY KEY,
    enrollment          TEXT    NOT NULL
);
CREATE INDEX enrollment_certificates_of ON enrollment_certificates (enrollment);

CREATE TABLE management_sessions (
    enrollment          TEXT    NOT NULL PRIMARY KEY,
    version             BIGINT NOT NULL,
    body                BYTEA    NOT NULL
);

CREATE TABLE management_jobs (
    id                  TEXT    NOT NULL PRIMARY KEY,
    enrollment          TEXT    NOT NULL,
    purpose             TEXT    NOT NULL,
    state               TEXT    NOT NULL,
    created_at          BIGINT NOT NULL,
    changed_at          BIGINT NOT NULL,
    created_by          TEXT    NOT NULL,
    body                BYTEA    NOT NULL,
    result              TEXT
);
CREATE INDEX management_jobs_of ON management_jobs (enrollment, id);

-- What a managed device has, as its last inventory showed it.
CREATE TABLE inventories (
    enrollment          TEXT    NOT NULL PRIMARY KEY,
    at                  BIGINT NOT NULL,
    body                TEXT    NOT NULL
);

-- Passwords of local users, as hashes.
CREATE TABLE passwords (
    user_name           TEXT    NOT NULL PRIMARY KEY,
    hash                TEXT    NOT NULL,
    changed_at          BIGINT NOT NULL
);
