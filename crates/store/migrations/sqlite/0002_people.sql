-- API tokens, groups of the directory, and approvals of held requests.
CREATE TABLE tokens (
    id                  TEXT    NOT NULL PRIMARY KEY,
    body                TEXT    NOT NULL
) STRICT;

CREATE TABLE directory_groups (
    name                TEXT    NOT NULL PRIMARY KEY,
    body                TEXT    NOT NULL
) STRICT;

CREATE TABLE approvals (
    request             TEXT    NOT NULL,
    approver            TEXT    NOT NULL,
    at                  INTEGER NOT NULL,
    PRIMARY KEY (request, approver)
) STRICT;
