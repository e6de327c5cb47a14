# Developers' commands. `make` without a target lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-all test-redis interop replicas siege upgrade cluster lint fmt deny bench generate image image-test chart

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start a demo on http://localhost:8080
	cargo run

test: ## everything: install what is missing, lint, test on both stores, real clients, each feature alone
	@tests/run.sh

test-all: ## the same, with the long tests in full
	@HISTORIES=10000 FULL=1 tests/run.sh

test-redis: ## the server's tests on a real Redis, which they start themselves
	STORE=redis cargo test --test it

interop: ## real clients in Node, Python, Go and a browser against the real program
	tests/interop/install.sh
	cargo test --test interop -- --nocapture

replicas: ## several replicas on one real Redis
	tests/replicas/install.sh
	cargo test --test replicas -- --nocapture

siege: ## floods of strangers on each store, while others sign in
	@tests/run.sh siege

upgrade: ## an earlier version and this one side by side
	@tests/run.sh upgrade

cluster: ## custom resources on a real Kubernetes API server
	tests/chart/install.sh
	tests/cluster/install.sh
	cargo test --test cluster -- --nocapture

lint: ## formatting, clippy, rustdoc; every warning is an error
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items

fmt: ## format the source
	cargo fmt

deny: ## licences, duplicates, sources and advisories of the dependencies (needs cargo-deny)
	cargo deny check

bench: ## benchmarks that must not get worse: CPU per token, time to ready, memory, size
	bench/run

generate: ## regenerate what is made from code: the chart's CRDs, docs/login.png
	cargo run --quiet -- crds >helm/uitsmijter/files/crds.yaml
	docs/picture.sh

image: ## build the container image with docker or podman, and print its size
	tests/image/engine.sh

image-test: ## build the image's last stage with buildah, as root, without an engine or a registry
	tests/image/build.sh

chart: ## the Helm chart: lint, render, schemas, alert rules, and Redis' scripts with real processes
	tests/chart/run.sh
