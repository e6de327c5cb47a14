# What a developer does here. `make` without a word lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-all test-redis interop replicas upgrade cluster lint fmt deny bench generate image image-test chart

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start a demo on http://localhost:8080
	cargo run

test: ## everything: install what is missing, lint, test on both stores, real clients, each feature alone
	@tests/run.sh

test-all: ## the same, with the long proofs in full
	@HISTORIES=10000 FULL=1 tests/run.sh

test-redis: ## the tests of the server on a real Redis, which they start themselves
	STORE=redis cargo test --test it

interop: ## real clients in Node, Python, Go and a browser against the real program
	tests/interop/install.sh
	cargo test --test interop -- --nocapture

replicas: ## several real processes on one real Redis
	tests/replicas/install.sh
	cargo test --test replicas -- --nocapture

upgrade: ## an earlier version and this one side by side
	@tests/run.sh upgrade

cluster: ## a real Kubernetes API server
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

bench: ## the figures that must not get worse: CPU per token, time to ready, memory, size
	bench/run

generate: ## write again what is made from code: the chart's resource definitions, docs/login.png
	cargo run --quiet -- crds >helm/uitsmijter/files/crds.yaml
	docs/picture.sh

image: ## build the container image with docker or podman, and print its size
	tests/image/engine.sh

image-test: ## the last stage of the image without an engine or a registry, by buildah, as root
	tests/image/build.sh

chart: ## the Helm chart: lint, render, schemas, rules, and Redis' scripts with real processes
	tests/chart/run.sh
