//! Rows as so many enrolments would leave them, made by the server itself.

/// `$1` certificates, their bodies and their requests.
pub(crate) const STATEMENTS: &[&str] = &[
    "INSERT INTO certificates (issuer, serial, request, template, template_revision, profile, subject, san, user_name, device, \
    not_before, not_after, key_digest, created_at, signed, search) \
    SELECT 'issuing', decode(md5(random()::text || i), 'hex'), md5(random()::text || i), 'device-client', 1, 'default', '[]', '[]', \
    'jo', 'inv-' || i, 1, 4000000000000 + i, sha256(int8send(i)), i, 1, 'cn=laptop-' || i || chr(10) || 'device-client' \
    FROM generate_series(1, CAST($1 AS BIGINT)) AS i",
    "INSERT INTO certificate_bodies (certificate, tbs, der) SELECT id, decode(repeat(md5(id::text), 44), 'hex'), \
    decode(repeat(md5(id::text), 62), 'hex') FROM certificates \
    WHERE id NOT IN (SELECT certificate FROM certificate_bodies) AND CAST($1 AS BIGINT) > 0",
    "INSERT INTO requests (id, protocol, profile, transaction_id, message_digest, renewal, signer_key_digest, key_digest, san, state, \
    context, received_at) \
    SELECT '0' || md5(random()::text || i), 'scep', 'default', md5(random()::text), sha256(int8send(i)), 0, sha256(int8send(-i)), \
    sha256(int8send(i + 1)), '[]', 'issued', '{}', i FROM generate_series(1, CAST($1 AS BIGINT)) AS i",
];
