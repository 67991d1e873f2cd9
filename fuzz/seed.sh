#!/bin/sh
# Fills fuzz/corpus from the vectors: the captured and written SCEP messages, and cryptography-vectors where `make` has put them.
set -eu
cd "$(dirname "$0")"
messages=../crates/enroll/testdata/scep
vectors=../target/vectors/cryptography_vectors
add() { # target, file
  mkdir -p "corpus/$1"
  cp "$2" "corpus/$1/$(sha256sum "$2" | cut -c1-16)"
}
for file in "$messages"/*/*.der; do
  for target in scep_request cms scep_answer; do add $target "$file"; done
done
for file in "$messages"/*/*.query; do
  { printf 'operation=PKIOperation&message='; cat "$file"; } > /tmp/lanyard-seed.$$
  add scep_query /tmp/lanyard-seed.$$
done
for file in "$messages"/*/*.http; do
  # The query of the request line.
  head -n 1 "$file" | LC_ALL=C tr -d '\r' | sed -n 's/^[A-Z]* [^?]*?\(.*\) HTTP.*/\1/p' > /tmp/lanyard-seed.$$
  add scep_query /tmp/lanyard-seed.$$
done
for file in ../crates/mdm/testdata/windows-mdm/written/*.xml; do
  case "$file" in
    *provisioningdoc*) add provisioning "$file" ;;
    *) add soap_request "$file" ;;
  esac
  add xml "$file"
done
for file in ../crates/ra/builtin/templates/*.toml ../crates/ra/builtin/profiles/*.toml; do add policy "$file"; done
for file in ../crates/mdm/testdata/windows-mdm/sessions/*.xml; do
  add syncml "$file"
  case "$file" in */3[26]-* | */42*) add structdata "$file" ;; esac
  sed -n 's/.*<LocURI>\(\.[^<]*\)<.*/\1/p' "$file" | while read -r uri; do
    printf '%s' "$uri" > /tmp/lanyard-seed.$$
    add loc_uri /tmp/lanyard-seed.$$
    printf '%s 81BCAF601DC9DFEC87317D590E7CF1E0FD4D49A1\n' "$uri" > /tmp/lanyard-seed.$$
    add structdata /tmp/lanyard-seed.$$
  done
done
printf 'Cmd=Sync&User=corp%%5Calice&DeviceId=v140Device&DeviceType=SmartPhone' > /tmp/lanyard-seed.$$
add activesync /tmp/lanyard-seed.$$
printf 'jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l' > /tmp/lanyard-seed.$$
add activesync /tmp/lanyard-seed.$$
# FolderSync from the beginning.
printf '\003\001\152\000\000\007VR\0030\000\001\001' > /tmp/lanyard-seed.$$
add activesync /tmp/lanyard-seed.$$
if [ -d "$vectors" ]; then
  for file in "$vectors"/x509/PKITS_data/certs/*.crt "$vectors"/x509/custom/*.der; do
    for target in certificate extension; do add $target "$file"; done
  done
  for file in "$vectors"/x509/PKITS_data/crls/*.crl; do add crl "$file"; done
  for file in "$vectors"/pkcs12/*.p12 "$vectors"/x509/PKITS_data/pkcs12/*.p12; do [ -e "$file" ] && for target in pkcs12 bundle; do add $target "$file"; done; done
  for file in "$vectors"/pkcs7/*; do
    for target in cms scep_answer bundle; do add $target "$file"; done
  done
  for file in "$vectors"/x509/*.pem "$vectors"/x509/custom/*.pem "$vectors"/x509/requests/*; do
    if [ -f "$file" ]; then add pem "$file"; add bundle "$file"; fi
  done
  for file in "$vectors"/x509/requests/*.der "$vectors"/x509/requests/*.pem; do
    if openssl req -in "$file" -outform DER -out /tmp/lanyard-seed.$$ 2> /dev/null; then add csr /tmp/lanyard-seed.$$; fi
  done
else
  echo "cryptography-vectors are not there: run make target/vectors/cryptography_vectors for better seeds"
fi
rm -f /tmp/lanyard-seed.$$
for folder in corpus/*; do printf '%s: %s seeds\n' "$(basename "$folder")" "$(ls "$folder" | wc -l)"; done
