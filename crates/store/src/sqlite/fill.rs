//! Rows as so many enrolments would leave them, made by the engine itself.

/// `$1` certificates, their bodies and their requests.
pub(crate) const STATEMENTS: &[&str] = &[
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
    INSERT INTO certificates (issuer, serial, request, template, template_revision, profile, subject, san, user_name, device, \
    not_before, not_after, key_digest, created_at, signed, search) \
    SELECT 'issuing', randomblob(16), lower(hex(randomblob(16))), 'device-client', 1, 'default', '[]', '[]', 'jo', 'inv-' || i, \
    1, 4000000000000 + i, randomblob(32), i, 1, 'cn=laptop-' || i || char(10) || 'device-client' FROM n",
    "INSERT INTO certificate_bodies (certificate, tbs, der) SELECT id, randomblob(700), randomblob(1000) FROM certificates \
    WHERE id NOT IN (SELECT certificate FROM certificate_bodies) AND $1 > 0",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
    INSERT INTO requests (id, protocol, profile, transaction_id, message_digest, renewal, signer_key_digest, key_digest, san, \
    state, context, received_at) \
    SELECT '0' || lower(hex(randomblob(17))), 'scep', 'default', hex(randomblob(20)), randomblob(32), 0, randomblob(32), \
    randomblob(32), '[]', 'issued', '{}', i FROM n",
];
