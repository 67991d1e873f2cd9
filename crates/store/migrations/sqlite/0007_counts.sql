-- What all nodes count together: wrong passwords, and sign-in tokens that were used. A count sinks evenly; only when it is empty is kept.
CREATE TABLE counts (
    name                TEXT    NOT NULL PRIMARY KEY,
    empty_at            INTEGER NOT NULL
) STRICT;
CREATE INDEX counts_empty ON counts (empty_at);

-- Challenges of the NDES pages, of which so many may be unused at a time.
CREATE TABLE page_challenges (
    challenge           BLOB    NOT NULL PRIMARY KEY,
    profile             TEXT    NOT NULL,
    expires_at          INTEGER NOT NULL
) STRICT;
CREATE INDEX page_challenges_of ON page_challenges (profile, expires_at);
