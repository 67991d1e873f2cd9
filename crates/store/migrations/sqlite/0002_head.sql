-- What a writer locks while it appends to the audit log: the last record, and the highest time that was ever signed.
CREATE TABLE head (
    id                  INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq                 INTEGER NOT NULL,
    hash                BLOB    NOT NULL,
    highest             INTEGER NOT NULL
) STRICT;
INSERT INTO head (id, seq, hash, highest) SELECT 1,
    COALESCE((SELECT seq FROM audit ORDER BY seq DESC LIMIT 1), 0),
    COALESCE((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), zeroblob(32)),
    (SELECT highest FROM clock WHERE id = 1);
DROP TABLE clock;

-- Who does the work that only one node may do. `fence` rises with every new holder, `beat` with every sign of life.
CREATE TABLE leases (
    name                TEXT    NOT NULL PRIMARY KEY,
    holder              TEXT    NOT NULL,
    fence               INTEGER NOT NULL,
    beat                INTEGER NOT NULL
) STRICT;
