-- The nodes that share the database, and what each of them loaded from its own files.
CREATE TABLE nodes (
    name                TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    files               TEXT COLLATE "C"    NOT NULL,
    started_at          BIGINT NOT NULL,
    seen_at             BIGINT NOT NULL
);
