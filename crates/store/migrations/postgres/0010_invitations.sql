-- Who was invited, and what became of it.
CREATE TABLE invitations (
    id                  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    until               BIGINT NOT NULL,
    body                TEXT COLLATE "C"    NOT NULL
);
CREATE INDEX invitations_until ON invitations (until);
