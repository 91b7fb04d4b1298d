# Every target works alone on a fresh Debian 12 with Node.js, as root. SKIP_DEPS=1: install nothing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := build

CLANG ?= clang
# v3 (Linux 5.12) has the compare-and-swap that counts each flow once. The BPF target has no multiarch folder of its own: <asm/types.h> comes from the host's.
BPF_CFLAGS := -O2 -g -Wall -Wextra -target bpf -mcpu=v3 -I/usr/include/$(shell uname -m)-linux-gnu
BPF_SOURCES := $(wildcard bpf/*.c bpf/*.h)

.PHONY: help deps deps-build deps-lab deps-bench deps-matrix build typescript demo matrix test soak fuzz fidelity bench lint clean format

help: ## Show the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

deps: deps-build deps-lab deps-bench ## Install what is missing: Debian packages and npm packages

deps-build deps-lab deps-bench deps-matrix:
	@if [[ "$(SKIP_DEPS)" != 1 ]]; then scripts/deps $(@:deps-%=%); fi

build: deps-build dist/bpf/tracker.bpf.o typescript ## Compile the kernel program and the TypeScript to dist/

# Written whole or not at all: an engine that starts meanwhile never loads half an object.
dist/bpf/tracker.bpf.o: $(BPF_SOURCES) Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c bpf/tracker.bpf.c -o $@.tmp
	@mv $@.tmp $@

typescript: deps-build
	npx --no-install tsc -p tsconfig.json

demo: deps-lab build ## Show it at work on this machine; KEEP=1 leaves the lab up
	bin/desplice demo $(if $(filter 1,$(KEEP)),--keep)

matrix: deps-lab deps-matrix build ## Audit desplice and its peers; writes docs/how-interception-goes-wrong (MATRIX="--box nginx": only shows)
	@bin/desplice audit matrix $(or $(MATRIX),--pages docs/how-interception-goes-wrong)

test: deps-lab build ## Run all tests; TEST="--project unit" chooses
	@node scripts/test $(TEST)

soak: deps-lab build ## Run the long tests, about 25 minutes; MINUTES=1 shortens them
	@SOAK_MINUTES=$(or $(MINUTES),10) node scripts/test --config test/soak/vitest.config.ts

fuzz: deps-build ## Throw 10^6 cases at the parsers of first bytes; CASES=N, SEED=N to repeat a run
	DESPLICE_FUZZ_CASES=$(or $(CASES),1000000) $(if $(SEED),DESPLICE_FUZZ_SEED=$(SEED)) \
		npx --no-install vitest run --project unit src/peek/fuzz.test.ts

fidelity: deps-lab build ## Compare with plain forwarding, scenario by scenario; writes docs/fidelity.md
	@DESPLICE_FIDELITY_REPORT=docs/fidelity.md node scripts/test --project fidelity

bench: deps-lab deps-bench build ## Measure against plain forwarding and HAProxy
	npx --no-install tsc -p tsconfig.bench.json
	node dist-bench/main.js $(BENCH)

lint: build ## Style, types and warnings
	npx --no-install biome check --error-on-warnings
	npx --no-install tsc -p tsconfig.check.json
	$(CLANG) $(BPF_CFLAGS) -Werror -fsyntax-only bpf/tracker.bpf.c

format: deps-build ## Format the source
	npx --no-install biome check --write

clean: ## Remove what was built
	rm -rf dist dist-bench
