//! The two transactions of an ordinary enrolment, one statement each: over a network, every statement costs a round trip.
//!
//! A statement here does all of its steps or reports fewer than it should; then the caller undoes it and takes the steps one by one,
//! which finds out what was in the way.

/// Consumes the challenge, refuses another key in the transaction, stores the request, reserves the serial number, stores the bytes to be
/// signed. Returns 1 in `done` when all of it happened; `wrote` is 0 when nothing did.
///
/// $1 to $26 are the request's columns, $27 to $46 the certificate's, $47 the TBSCertificate, $48 the time before which a transaction is
/// nobody's, $49 to $52 the challenge's id, use, CSR digest and key digest.
pub(crate) const BEGIN: &str = "WITH used AS (
    UPDATE challenges SET used_at = $50::bigint, used_by = $1::text, used_csr = $51::bytea, used_key = $52::bytea
    WHERE id = $49::bytea AND used_at IS NULL AND expires_at > $50::bigint RETURNING 1
), request AS (
    INSERT INTO requests (id, protocol, profile, transaction_id, message_digest, renewal, signer_key_digest, key_digest, claims,
        subject, san, key_kind, template, user_name, device, state, reason, detail, certificate_issuer, certificate_serial, renews,
        challenge, context, received_at, decided_at, decided_by)
    SELECT $1::text, $2::text, $3::text, $4::text, $5::bytea, $6::bigint, $7::bytea, $8::bytea, $9::bytea,
        $10::text, $11::text, $12::text, $13::text, $14::text, $15::text, $16::text, $17::text, $18::text, $19::text, $20::bytea,
        $21::bytea, $22::text, $23::text, $24::bigint, $25::bigint, $26::text
    WHERE EXISTS (SELECT 1 FROM used) AND NOT EXISTS (
        SELECT 1 FROM requests WHERE transaction_id = $4::text AND profile = $3::text AND state <> 'denied' AND state <> 'expired'
        AND received_at > $48::bigint AND id <> $1::text
        AND signer_key_digest IS DISTINCT FROM $7::bytea AND key_digest IS DISTINCT FROM $8::bytea
    ) RETURNING 1
), certificate AS (
    INSERT INTO certificates (issuer, serial, request, template, template_revision, profile, subject, san, user_name, device,
        not_before, not_after, key_digest, created_at, signed, revoked_at, revocation_reason, predecessor, successor, search)
    SELECT $27::text, $28::bytea, $29::text, $30::text, $31::bigint, $32::text, $33::text, $34::text, $35::text, $36::text,
        $37::bigint, $38::bigint, $39::bytea, $40::bigint, $41::bigint, $42::bigint, $43::bigint, $44::bytea, $45::bytea, $46::text
    WHERE EXISTS (SELECT 1 FROM request)
    ON CONFLICT (serial, issuer) DO NOTHING RETURNING id
), body AS (
    INSERT INTO certificate_bodies (certificate, tbs, der) SELECT id, $47::bytea, NULL FROM certificate RETURNING 1
)
SELECT (SELECT COUNT(*) FROM body) AS done, (SELECT COUNT(*) FROM used) AS wrote";

/// Stores the signature of an intent ($1 serial number, $2 issuer, $3 certificate) and marks its request ($4) as issued. Returns 2 in `done`
/// when both happened; `wrote` is 0 when neither did.
pub(crate) const FINISH: &str = "WITH signed AS (
    UPDATE certificates SET signed = 1
    WHERE serial = $1::bytea AND issuer = $2::text AND signed = 0 AND revoked_at IS NULL RETURNING id
), body AS (
    UPDATE certificate_bodies SET der = $3::bytea FROM signed WHERE certificate = signed.id RETURNING 1
), issued AS (
    UPDATE requests SET state = 'issued', claims = NULL, certificate_issuer = $2::text, certificate_serial = $1::bytea
    WHERE id = $4::text AND state = 'granted' AND EXISTS (SELECT 1 FROM signed) RETURNING 1
)
SELECT (SELECT COUNT(*) FROM body) + (SELECT COUNT(*) FROM issued) AS done, (SELECT COUNT(*) FROM signed) AS wrote";
