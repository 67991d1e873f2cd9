-- Windows devices under management: enrolments, the certificates that prove them, what they are to be told, and the session at hand.
CREATE TABLE enrollments (
    id                  TEXT    NOT NULL PRIMARY KEY,
    client              TEXT    NOT NULL,
    device              TEXT    NOT NULL,
    user_name           TEXT    NOT NULL,
    state               TEXT    NOT NULL,
    renews_from         INTEGER NOT NULL,
    -- Rises with every change: who changes says which one it saw.
    version             INTEGER NOT NULL,
    body                TEXT    NOT NULL
) STRICT;
CREATE INDEX enrollments_of_client ON enrollments (client, id);
CREATE INDEX enrollments_of_user ON enrollments (user_name, id) WHERE state <> 'ended';
CREATE INDEX enrollments_due ON enrollments (renews_from, id) WHERE state = 'active';

CREATE TABLE enrollment_certificates (
    fingerprint         BLOB    NOT NULL PRIMARY KEY,
    enrollment          TEXT    NOT NULL
) STRICT;
CREATE INDEX enrollment_certificates_of ON enrollment_certificates (enrollment);

CREATE TABLE management_sessions (
    enrollment          TEXT    NOT NULL PRIMARY KEY,
    version             INTEGER NOT NULL,
    body                BLOB    NOT NULL
) STRICT;

CREATE TABLE management_jobs (
    id                  TEXT    NOT NULL PRIMARY KEY,
    enrollment          TEXT    NOT NULL,
    purpose             TEXT    NOT NULL,
    state               TEXT    NOT NULL,
    created_at          INTEGER NOT NULL,
    changed_at          INTEGER NOT NULL,
    created_by          TEXT    NOT NULL,
    body                BLOB    NOT NULL,
    result              TEXT
) STRICT;
CREATE INDEX management_jobs_of ON management_jobs (enrollment, id);

-- What a managed device has, as its last inventory showed it.
CREATE TABLE inventories (
    enrollment          TEXT    NOT NULL PRIMARY KEY,
    at                  INTEGER NOT NULL,
    body                TEXT    NOT NULL
) STRICT;

-- Passwords of local users, as hashes.
CREATE TABLE passwords (
    user_name           TEXT    NOT NULL PRIMARY KEY,
    hash                TEXT    NOT NULL,
    changed_at          INTEGER NOT NULL
) STRICT;
