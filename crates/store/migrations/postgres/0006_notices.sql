-- Outcomes that policy modules are still to be told.
CREATE TABLE notices (
    id                  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    request             TEXT COLLATE "C"    NOT NULL,
    profile             TEXT COLLATE "C"    NOT NULL,
    place               BIGINT NOT NULL,
    kind                TEXT COLLATE "C"    NOT NULL,
    body                BYTEA    NOT NULL,
    attempts            BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    due_at              BIGINT NOT NULL
);
CREATE INDEX notices_due ON notices (due_at, id);
