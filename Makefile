# Each target does its own set-up (scripts/setup.sh) and says what it installs.
# Programs are chosen by --bin, not by -p: with -p their dependencies would be built again, with fewer features.
# Assumed: git, and Rust by rustup (rust-toolchain.toml chooses the version).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo

.PHONY: help demo test lint bench scale

help: ## Show this help
	@echo "mc-wan: an east-west gateway that joins Kubernetes clusters over an SD-WAN"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Play the four user stories on this machine: no root, no Kubernetes (ARGS="--keep" leaves it running)
	@scripts/setup.sh build
	@echo "demo: building the gateway and mcwanctl (some minutes the first time)"
	@$(CARGO) build --locked --bin mcwan-gateway --bin mcwanctl
	@$(CARGO) run --locked --quiet --bin mcwanctl -- demo $(ARGS)

test: ## Run all tests; as root also those against real API servers (e2e), which are built first
	@scripts/setup.sh test
	@if [ "$$(id -u)" = 0 ]; then scripts/kube.sh >/dev/null; fi
	$(CARGO) build --locked --workspace --bins
	$(CARGO) test --locked --workspace
	@scripts/samples.sh
	@echo "make test: all tests passed"

lint: ## Formatting, clippy, documentation, dependencies, orphaned files, scripts
	@scripts/setup.sh lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-Dwarnings -Arustdoc::private-intra-doc-links" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	@scripts/dependencies.sh
	@scripts/deny.sh
	@scripts/orphans.sh
	@scripts/shellcheck.sh
	@echo "make lint: clean"

bench: ## Criterion benchmarks, then the comparison with Envoy, HAProxy and nginx (benches/compare)
	@scripts/setup.sh build
	$(CARGO) bench --locked -p mcwan-benches
	$(CARGO) build --locked --release -p mcwan-gateway
	@benches/compare/run.sh

scale: ## Three clusters with EXPORTS (1000) exports each on real API servers: memory, work and writes of the controller (root)
	@scripts/setup.sh test
	@scripts/kube.sh >/dev/null
	$(CARGO) build --locked --release --workspace --bins
	MCWAN_E2E_SCALE=$${EXPORTS:-1000} $(CARGO) test --locked --release -p mcwan-e2e --test e2e scale::
