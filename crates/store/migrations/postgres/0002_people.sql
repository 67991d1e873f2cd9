-- API tokens, groups of the directory, and approvals of held requests.
CREATE TABLE tokens (
    id                  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    body                TEXT COLLATE "C"    NOT NULL
);

CREATE TABLE directory_groups (
    name                TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    body                TEXT COLLATE "C"    NOT NULL
);

CREATE TABLE approvals (
    request             TEXT COLLATE "C"    NOT NULL,
    approver            TEXT COLLATE "C"    NOT NULL,
    at                  BIGINT NOT NULL,
    PRIMARY KEY (request, approver)
);
