"""Lints certificates, one DER file after the other, within one process: path, then each finding of ERROR or worse, tab-separated."""

import sys

from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity

validator = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)

count = 0
for path in sys.stdin.read().split("\n"):
    if not path:
        continue
    with open(path, "rb") as file:
        document = loader.load_certificate(file.read(), path)
    for result in validator.validate(document.root):
        for finding in result.finding_descriptions:
            if finding.finding.severity <= ValidationFindingSeverity.ERROR:
                print(path, finding.finding.code, finding.message, sep="\t")
    count += 1
print("linted", count, sep="\t")
