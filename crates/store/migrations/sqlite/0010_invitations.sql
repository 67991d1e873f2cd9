-- Who was invited, and what became of it.
CREATE TABLE invitations (
    id                  TEXT    NOT NULL PRIMARY KEY,
    until               INTEGER NOT NULL,
    body                TEXT    NOT NULL
) STRICT;
CREATE INDEX invitations_until ON invitations (until);
