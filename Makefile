# Each target is one command of scripts/; `make help` lists them. PG_CONFIG chooses the server, else the newest installed.
SHELL := /bin/bash
export PG_CONFIG

.PHONY: help demo demo-stop setup build install test bench lint schema clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## install what is missing, build, and show convene on a real conference in a throw-away cluster
	@scripts/setup.sh build
	@scripts/build.sh
	@scripts/demo.sh start

demo-stop: ## remove the demo's cluster
	@scripts/demo.sh stop

setup: ## install what building and testing need and is missing
	@scripts/setup.sh build test

build: ## build in release and install into the server of PG_CONFIG
	@scripts/setup.sh build
	@scripts/build.sh

install: build ## the same as build: make install PG_CONFIG=/path/to/pg_config

test: ## run every test; T=name runs one group, or what a pytest -k expression or an engine test's name selects
	@scripts/setup.sh build test
	@scripts/build.sh
	@.tools/venv/bin/python tests/run.py $(if $(T),'$(T)')

bench: ## run the benchmarks; B=name runs one
	@scripts/setup.sh build test
	@scripts/build.sh
	@bench/run.sh $(B)

lint: ## formatting, clippy, the engine's purity, dependencies, shell scripts
	@scripts/setup.sh build lint
	@scripts/lint.sh

schema: ## print the SQL: what install() runs, then the extension script
	@scripts/setup.sh build
	@scripts/schema.sh

clean: ## remove what was built; installed tools stay
	rm -rf target .tools/stamp .tools/package tests/clients/node_modules

distclean: clean ## remove the tools under .tools too
	rm -rf .tools
