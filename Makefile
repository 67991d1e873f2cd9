# Two commands matter: make demo, make test. The others are for those who work on Lanyard.
SHELL := /bin/bash
CARGO ?= cargo
ARGS ?=
PKILINT := target/pkilint
VECTORS := target/vectors/cryptography_vectors
FIGURES := target/soak.txt
PACKAGES := scep certmonger strongswan-pki libstrongswan-extra-plugins libstrongswan-standard-plugins strongswan-charon strongswan-swanctl libcharon-extra-plugins iproute2 postgresql dbus openssl curl strace sqlite3 python3-venv slapd ldap-utils faketime freeradius eapoltest dbconfig-sqlite3 glewlwyd chromium chromium-driver exim4-daemon-light gnutls-bin libnss3-tools openjdk-17-jre-headless libtss2-dev pkg-config swtpm tpm2-tools tpm2-openssl tpm2-abrmd sogo sogo-activesync memcached dovecot-imapd samba samba-ad-dc samba-ad-provision winbind ldb-tools nginx-light haproxy

.PHONY: demo test soak packages bench fuzz lint advisories clean

demo:
	$(CARGO) build --release --locked -p lanyard
	@if pkg-config --exists tss2-esys 2>/dev/null; then $(CARGO) build --release --locked -p lanyard-tpm; fi
	target/release/lanyard demo $(ARGS)

test: packages $(PKILINT)/bin/lint_pkix_cert $(VECTORS)
	$(CARGO) build --locked -p lanyard -p lanyard-tpm
	@set -o pipefail; status=0; $(CARGO) test --locked --workspace --no-fail-fast 2>&1 | tee target/test.log || status=$$?; \
	awk '/^test result:/ { p += $$4; f += $$6; s += $$8 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' target/test.log; \
	exit $$status

# The bars of docs/security.md at their full numbers, in a release build; all figures are printed last.
soak: packages $(PKILINT)/bin/lint_pkix_cert $(VECTORS)
	$(CARGO) build --release --locked -p lanyard -p lanyard-tpm
	@rm -f $(FIGURES); status=0; LANYARD_SOAK=1 LANYARD_FIGURES=$(abspath $(FIGURES)) \
	$(CARGO) test --release --locked -p lanyard-testkit --test it -- --test-threads=1 bars:: process::crashes process::durability nodes:: \
	  hostile::deviations hostile::workload tpm:: || status=$$?; \
	echo; echo "figures:"; sort -s -k2,2n $(FIGURES) 2>/dev/null; exit $$status

# The tests fail, naming the package, when one is absent; this installs them.
packages:
	@missing=""; for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" != 0 ]; then echo "the tests need these Debian packages:$$missing (run make test as root, or install them)"; exit 1; fi; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	fi

$(PKILINT)/bin/lint_pkix_cert:
	rm -rf $(PKILINT)
	python3 -m venv $(PKILINT)
	$(PKILINT)/bin/pip install --quiet --disable-pip-version-check pkilint==0.13.3

$(VECTORS): $(PKILINT)/bin/lint_pkix_cert
	$(PKILINT)/bin/pip install --quiet --disable-pip-version-check --no-deps --target target/vectors cryptography-vectors==50.0.2
	@touch $(VECTORS)

bench:
	$(CARGO) build --release --locked -p lanyard
	target/release/lanyard bench scep --peer
	target/release/lanyard bench fleet
	target/release/lanyard bench gateway --peers

# Every fuzz target for FUZZ_SECONDS each, from the vectors; cargo-fuzz is installed when it is missing.
FUZZ_SECONDS ?= 30
fuzz: $(VECTORS)
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	sh fuzz/seed.sh
	cd fuzz && for t in $$($(CARGO) fuzz list); do echo "== $$t"; $(CARGO) fuzz run -s none $$t -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

# libtss2-dev is needed for crates/tpm.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check bans licenses sources
	@$(MAKE) --no-print-directory advisories

# Known advisories of what is in Cargo.lock. ADVISORY_DB names a local copy of the database for machines that cannot fetch it.
ADVISORY_URL := https://github.com/RustSec/advisory-db
ADVISORY_DB ?=
advisories:
	@command -v cargo-audit >/dev/null || $(CARGO) install --locked cargo-audit
	@if [ -n "$(ADVISORY_DB)" ]; then \
	  $(CARGO) audit --no-fetch --stale --db "$(ADVISORY_DB)" --deny warnings && echo "advisories: checked against $(ADVISORY_DB)"; \
	elif timeout 20 git ls-remote --exit-code $(ADVISORY_URL) HEAD >/dev/null 2>&1; then \
	  $(CARGO) audit --deny warnings && $(CARGO) deny check advisories && echo "advisories: checked against the database of today"; \
	else \
	  echo "advisories: NOT CHECKED: the database at $(ADVISORY_URL) cannot be reached; give a copy by ADVISORY_DB=…"; \
	  echo "checked all the same: the banned crates and least versions of deny.toml, licences, sources"; \
	fi

clean:
	$(CARGO) clean
