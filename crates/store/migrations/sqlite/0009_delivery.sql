-- What a person or a device has, as the portal shows it.
CREATE INDEX certificates_of_user ON certificates (user_name) WHERE user_name IS NOT NULL;
CREATE INDEX certificates_of_device ON certificates (device) WHERE device IS NOT NULL;

-- Keys of encryption certificates, sealed.
CREATE TABLE archived_keys (
    key_digest          BLOB    NOT NULL PRIMARY KEY,
    user_name           TEXT    NOT NULL,
    request             TEXT    NOT NULL,
    created_at          INTEGER NOT NULL,
    sealed              BLOB    NOT NULL
) STRICT;
CREATE INDEX archived_keys_of_user ON archived_keys (user_name);

-- Who wants archived keys back, and who agreed.
CREATE TABLE recoveries (
    id                  TEXT    NOT NULL PRIMARY KEY,
    revision            INTEGER NOT NULL,
    body                TEXT    NOT NULL
) STRICT;
