# Two commands matter: make demo, make test. The others are for those who work on Lanyard.
SHELL := /bin/bash
CARGO ?= cargo
ARGS ?=
PKILINT := target/pkilint
PACKAGES := scep certmonger postgresql dbus openssl curl strace sqlite3 python3-venv

.PHONY: demo test packages bench fuzz lint clean

demo:
	$(CARGO) build --release --locked -p lanyard
	target/release/lanyard demo $(ARGS)

test: packages $(PKILINT)/bin/lint_pkix_cert
	$(CARGO) build --locked -p lanyard
	@set -o pipefail; status=0; $(CARGO) test --locked --workspace --no-fail-fast 2>&1 | tee target/test.log || status=$$?; \
	awk '/^test result:/ { p += $$4; f += $$6; s += $$8 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' target/test.log; \
	exit $$status

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

bench:
	$(CARGO) build --release --locked -p lanyard
	target/release/lanyard bench scep --peer

# Every fuzz target for FUZZ_SECONDS each; cargo-fuzz is installed when it is missing.
FUZZ_SECONDS ?= 30
fuzz:
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	cd fuzz && for t in $$($(CARGO) fuzz list); do echo "== $$t"; $(CARGO) fuzz run -s none $$t -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check bans licenses sources

clean:
	$(CARGO) clean
