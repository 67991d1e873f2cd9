-- What a person or a device has, as the portal shows it.
CREATE INDEX certificates_of_user ON certificates (user_name) WHERE user_name IS NOT NULL;
CREATE INDEX certificates_of_device ON certificates (device) WHERE device IS NOT NULL;

-- Keys of encryption certificates, sealed.
CREATE TABLE archived_keys (
    key_digest          BYTEA  NOT NULL PRIMARY KEY,
    user_name           TEXT COLLATE "C"    NOT NULL,
    request             TEXT COLLATE "C"    NOT NULL,
    created_at          BIGINT NOT NULL,
    sealed              BYTEA  NOT NULL
);
CREATE INDEX archived_keys_of_user ON archived_keys (user_name);

-- Who wants archived keys back, and who agreed.
CREATE TABLE recoveries (
    id                  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    revision            BIGINT NOT NULL,
    body                TEXT COLLATE "C"    NOT NULL
);
