-- Outcomes that policy modules are still to be told.
CREATE TABLE notices (
    id                  TEXT    NOT NULL PRIMARY KEY,
    request             TEXT    NOT NULL,
    profile             TEXT    NOT NULL,
    place               INTEGER NOT NULL,
    kind                TEXT    NOT NULL,
    body                BLOB    NOT NULL,
    attempts            INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    due_at              INTEGER NOT NULL
) STRICT;
CREATE INDEX notices_due ON notices (due_at, id);
