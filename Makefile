# Each target installs the Debian packages it needs and lacks (.ci/install), and nothing
# else outside this directory. Rust comes from rustup.

.DEFAULT_GOAL := help

# Static binaries need a target of their own name, even when it is the host: otherwise
# the flags would reach build scripts and procedural macros, which cannot be static.
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
STATIC := $(or $(CARGO_TARGET_DIR),target)/$(HOST)/release/vault

# getrandom finds the libc function at run time, which a static binary cannot, and falls
# back to /dev/urandom. A rescue system or a container may have no /dev: use the system
# call.
STATIC_FLAGS := -C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"

# What `make fuzz` gives each target, in seconds.
FUZZ_SECONDS ?= 60
TOOLS := $(CURDIR)/target/tools

.PHONY: help demo test test-long test-packages static lint fuzz bench side-by-side

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /    make \1\t/p' Makefile

demo: ## pack and restore a throw-away PostgreSQL cluster, before your eyes
	@bash .ci/install demo
	@bash examples/demo.sh

test: test-packages .venv/installed ## all tests; the last line counts them
	@bash .ci/test

test-long: ## what a large dump and a tebibyte cost: 6 GiB of memory, 3 GiB of a temporary directory (ARCHITECTURE.md)
	@bash .ci/install test
	cargo test --release --locked --test index_cache -- --ignored --nocapture
	cargo test --release --locked --test dump_map -- --ignored --nocapture --test-threads 1

static: ## one self-contained binary, for the machine that has nothing else
	@bash .ci/install static
	RUSTFLAGS='$(STATIC_FLAGS)' cargo build --release --locked --target $(HOST)
	@# Proof: no loader to start it, no library to load.
	@! readelf --wide --program-headers --dynamic $(STATIC) | grep -E 'INTERP|NEEDED'
	@ls -lh $(STATIC)

lint: ## formatting, clippy, shellcheck
	@bash .ci/install lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	shellcheck .ci/install .ci/run .ci/test examples/*.sh

fuzz: $(TOOLS)/bin/cargo-fuzz ## every fuzz target for FUZZ_SECONDS=60 each (fuzz/README.md)
	@bash .ci/install fuzz
	@set -e; export PATH="$(TOOLS)/bin:$$PATH"; for program in fuzz/fuzz_targets/*.rs; do \
		target=$$(basename "$$program" .rs); mkdir -p "fuzz/generated/$$target"; \
		echo "== $$target"; \
		cargo fuzz run --sanitizer none "$$target" "fuzz/generated/$$target" "fuzz/corpus/$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1; \
	done

bench: ## every building block and whole runs, each with its answer checked (benches/README.md)
	@bash .ci/install bench
	cargo bench --locked

# More for the script: SIDE_BY_SIDE='--runs 7 --work /srv/bench'.
side-by-side: .venv/installed ## vault against zstd, age, restic, borg and gzip: half an hour (benches/README.md)
	@bash .ci/install side-by-side
	cargo build --release --locked
	@python3 benches/side-by-side.py $(SIDE_BY_SIDE)

test-packages:
	@bash .ci/install test

# Made anew when the list changes.
.venv/installed: .ci/requirements.txt | test-packages
	python3 -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(TOOLS)/bin/cargo-fuzz:
	@bash .ci/install fuzz
	cargo install cargo-fuzz --locked --root $(TOOLS)
