-- The nodes that share the database, and what each of them loaded from its own files.
CREATE TABLE nodes (
    name                TEXT    NOT NULL PRIMARY KEY,
    files               TEXT    NOT NULL,
    started_at          INTEGER NOT NULL,
    seen_at             INTEGER NOT NULL
) STRICT;
