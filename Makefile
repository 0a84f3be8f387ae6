.DEFAULT_GOAL := help
SHELL := bash

# The architecture and further parameters of the stack: make deploy PARAMETERS="MediaExpiryDays=7"
ARCHITECTURE ?= arm64
PARAMETERS ?=

UV := .tools/uv/bin/uv
PYTHON := .venv/bin/python
DEPENDENCIES := layers/dependencies/requirements
# This machine's name among Lambda's architectures.
MACHINE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
# The compiler of the engine's core, and the core for this machine.
ZIG := $(CURDIR)/.tools/zig/bin
CORE := imgdiff/engine/core-$(shell uname -s)-$(shell uname -m).so
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/.tools/zig/cache
SAM = PATH="$(CURDIR)/.venv/bin:$(ZIG):$$PATH" .tools/sam/bin/sam
COMPILE = $(UV) pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.13 \
	--no-header --no-annotate --no-emit-index-url

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: .venv/ready core ## start the service on http://127.0.0.1:3000 ([PORT=…] [RUNTIME=lambda, as it runs on Lambda])
	@PYTHONPATH=functions $(PYTHON) -m local

ifeq ($(RUNTIME),lambda)
run: built-$(MACHINE) .tools/ric/ready
endif

.PHONY: test
test: .venv/ready core .tools/oracles/ready .tools/ric/ready ## run the tests, offline; those of what is built for Lambda: make e2e
	$(PYTHON) -m pytest -n auto

# The service's own tests too, its functions as they were built.
SERVICE_TESTS := $(addprefix tests/local/test_,service.py inbox.py batches.py pixlab_clients.py)

.PHONY: e2e
e2e: built-arm64 built-x86_64 .tools/ric/ready .tools/ministack/ready ## build for Lambda, run and deploy that here, and test it
	$(SAM) validate --lint
	$(PYTHON) -m pytest -n auto --ignore tests/e2e/deployment tests/e2e
	$(PYTHON) -m pytest tests/e2e/deployment
	@if [ "$$(uname -s)" != Linux ]; then \
		echo "The service's own tests are skipped: the emulator of Lambda's runtime runs on Linux alone."; \
	else \
		RUNTIME=lambda $(PYTHON) -m pytest -n auto $(SERVICE_TESTS); \
	fi

.PHONY: test-corpus
test-corpus: .venv/ready core .tools/corpus/ready ## hold the images that Pillow and gdk-pixbuf test with against the limits
	CORPUS=.tools/corpus $(PYTHON) -m pytest tests/security/test_corpus.py

.PHONY: core
core: functions/$(CORE) ## build the engine's core for this machine

.PHONY: lint
lint: .venv/ready ## check style, types and the template
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/cfn-lint template.yaml

.PHONY: format
format: .venv/ready ## format the code
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

.PHONY: build
build: .venv/ready .tools/sam/ready .tools/zig/ready ## build the stack with sam (ARCHITECTURE=x86_64 for the other)
	@PATH="$(ZIG):$$PATH" $(MAKE) --no-print-directory -C functions cores
	$(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE) $(PARAMETERS)

# For tests and for this machine's runtime emulator, beside what `make build` has built to be deployed.
.PHONY: built-arm64 built-x86_64
built-arm64 built-x86_64: built-%: .venv/ready .tools/sam/ready core
	@PATH="$(ZIG):$$PATH" $(MAKE) --no-print-directory -C functions cores
	$(SAM) build --build-dir .aws-sam/$* --parameter-overrides Architecture=$*

# sam publishes versions when the code changes, and not when parameters or the layer do.
STAMP = stamp="$$(git describe --always --dirty) $$(date -u +%FT%TZ)"; \
	for code in .aws-sam/build/*Function/imgdiff; do echo "$$stamp" > "$$code/deployed"; done

.PHONY: deploy
deploy: build ## build and deploy the stack to the AWS account at hand
	@$(STAMP)
	$(SAM) deploy --parameter-overrides Architecture=$(ARCHITECTURE) $(PARAMETERS)

.PHONY: delete
delete: .venv/ready ## delete the stack with all its images, results and keys: CONFIRM=imgdiff [STACK=imgdiff]
	@PYTHONPATH=functions $(PYTHON) -m tools.delete \
		$(call option,--stack,STACK) $(call option,--confirm,CONFIRM)

# Values reach the command as words that neither make nor the shell reads: NAME='$$(rm -r .)' is a
# name like any other.
KEYS = PYTHONPATH=functions $(PYTHON) -m tools.keys
option = $(if $(value $2),$1='$(subst ','\'',$(value $2))')
key_place = $(call option,--stack,STACK) $(call option,--local,LOCAL)
unexport NAME PER_MINUTE PER_DAY EXPIRES BUCKET PREFIX STACK LOCAL GRACE CONFIRM

.PHONY: key-create
key-create: .venv/ready ## make a key: NAME=ci [PER_MINUTE=60] [PER_DAY=1000] [EXPIRES=2027-01-01] [BUCKET=… PREFIX=…]
	@$(KEYS) create $(call option,--name,NAME) $(call option,--per-minute,PER_MINUTE) \
		$(call option,--per-day,PER_DAY) $(call option,--expires,EXPIRES) \
		$(call option,--bucket,BUCKET) $(call option,--prefix,PREFIX) $(key_place)

.PHONY: key-list
key-list: .venv/ready ## list the keys (all of key-…: [STACK=imgdiff], or LOCAL=3000 for make run)
	@$(KEYS) list $(key_place)

.PHONY: key-disable
key-disable: .venv/ready ## lock a key out: NAME=ci
	@$(KEYS) disable $(call option,--name,NAME) $(key_place)

.PHONY: key-enable
key-enable: .venv/ready ## let it in again: NAME=ci
	@$(KEYS) enable $(call option,--name,NAME) $(key_place)

.PHONY: key-rotate
key-rotate: .venv/ready ## replace a key by a new one: NAME=ci [GRACE=24, the hours the old one works on]
	@$(KEYS) rotate $(call option,--name,NAME) $(call option,--grace,GRACE) $(key_place)

.PHONY: bench-request
bench-request: .venv/ready core ## measure the parts of a warm request
	PYTHONPATH=functions $(PYTHON) -m benchmarks.request

.PHONY: bench-cold-start
bench-cold-start: built-$(MACHINE) .tools/ric/ready .tools/naive/ready ## measure cold starts, beside a naive handler's
	PYTHONPATH=functions $(PYTHON) -m benchmarks.cold_start

unexport MEMORY

.PHONY: bench-cost
bench-cost: built-$(MACHINE) .tools/ric/ready ## measure what calls take and cost by memory: [MEMORY=512,1769]
	PYTHONPATH=functions $(PYTHON) -m benchmarks.cost $(call option,--memory,MEMORY)

unexport PAIRS

.PHONY: bench-inbox
bench-inbox: .venv/ready core ## put pairs into an emulated inbox and account for each: [PAIRS=10000]
	PYTHONPATH=functions $(PYTHON) -m benchmarks.inbox $(call option,--pairs,PAIRS)

.PHONY: docs
docs: .venv/ready core ## draw the pictures of the README and describe the API again
	PYTHONPATH=functions:. $(PYTHON) docs/draw.py
	PYTHONPATH=functions:. $(PYTHON) docs/openapi.py
	PYTHONPATH=functions:. $(PYTHON) docs/suites.py

unexport ONLY PEERS EFFORT

.PHONY: bench
bench: .tools/bench/ready core ## measure imgdiff beside others: [ONLY=hd,memory] [PEERS=odiff,opencv] [EFFORT=3]
	@PYTHONPATH=functions .tools/bench/bin/python -m benchmarks \
		$(call option,--only,ONLY) $(call option,--peers,PEERS) $(call option,--effort,EFFORT)

.PHONY: lock
lock: $(UV) ## bring every package to its newest version
	$(COMPILE) requirements/uv.in --output-file requirements/uv.txt
	$(COMPILE) $(DEPENDENCIES).in --output-file $(DEPENDENCIES).txt
	$(COMPILE) requirements/dev.in --output-file requirements/dev.txt
	$(COMPILE) requirements/zig.in --output-file requirements/zig.txt
	$(COMPILE) requirements/sam.in --output-file requirements/sam.txt
	$(COMPILE) requirements/ric.in --output-file requirements/ric.txt
	$(COMPILE) requirements/ministack.in --output-file requirements/ministack.txt
	$(COMPILE) requirements/node.in --output-file requirements/node.txt
	$(COMPILE) requirements/bench.in --output-file requirements/bench.txt

.PHONY: clean
clean: ## remove everything that was built or installed here
	rm -rf .venv .tools .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f functions/imgdiff/engine/core-*.so
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

# Made from outside this folder, where a Python manager would insist on .python-version: any
# Python 3 can install uv, and uv finds or provides the right one.
$(UV): requirements/uv.txt
	cd / && python3 -m venv "$(CURDIR)/.tools/uv"
	.tools/uv/bin/pip install --quiet --require-hashes --requirement requirements/uv.txt
	@touch $@

.venv/ready: $(UV) .python-version requirements/dev.txt
	$(UV) venv --quiet --clear --seed .venv
	$(UV) pip install --quiet --python $(PYTHON) --require-hashes --requirement requirements/dev.txt
	@touch $@

.tools/zig/ready: $(UV) requirements/zig.txt
	$(UV) venv --quiet --clear .tools/zig
	$(UV) pip install --quiet --python .tools/zig/bin/python --require-hashes \
		--requirement requirements/zig.txt
	@touch $@

functions/$(CORE): $(wildcard functions/imgdiff/engine/*.c) functions/Makefile .tools/zig/ready
	PATH="$(ZIG):$$PATH" $(MAKE) --no-print-directory -C functions $(CORE)

.tools/sam/ready: $(UV) requirements/sam.txt
	$(UV) venv --quiet --clear .tools/sam
	$(UV) pip install --quiet --python .tools/sam/bin/python --require-hashes \
		--requirement requirements/sam.txt
	@touch $@

# Lambda's own client of its runtime API, with bytecode as on Lambda.
.tools/ric/ready: $(UV) requirements/ric.txt
	$(UV) venv --quiet --clear .tools/ric
	$(UV) pip install --quiet --python .tools/ric/bin/python --require-hashes --compile-bytecode \
		--requirement requirements/ric.txt
	@touch $@

# An AWS for tests, which runs functions with its own Python.
.tools/ministack/ready: $(UV) .python-version requirements/ministack.txt
	$(UV) venv --quiet --clear .tools/ministack
	$(UV) pip install --quiet --python .tools/ministack/bin/python --require-hashes \
		--requirement requirements/ministack.txt
	@touch $@

# What tests hold the engine against, of npm's: node comes from PyPI, and trusts whom the system does.
.tools/oracles/ready: $(UV) requirements/node.txt tests/oracles/package-lock.json
	$(UV) venv --quiet --clear .tools/oracles
	$(UV) pip install --quiet --python .tools/oracles/bin/python --require-hashes \
		--requirement requirements/node.txt
	cp tests/oracles/package.json tests/oracles/package-lock.json .tools/oracles
	PATH="$(CURDIR)/.tools/oracles/bin:$$PATH" NODE_USE_SYSTEM_CA=1 \
		npm ci --silent --ignore-scripts --prefix .tools/oracles
	@touch $@

# Packages as pip leaves them in a function that sam's own builder makes: without bytecode.
.tools/naive/ready: $(UV) .venv/ready requirements/dev.txt
	rm -rf .tools/naive
	$(UV) pip install --quiet --python $(PYTHON) --target .tools/naive \
		--constraint requirements/dev.txt aws-lambda-powertools boto3 numpy pillow
	@touch $@

# Pillow's images are in its source distribution; gdk-pixbuf's are a package of Debian's.
.tools/corpus/ready: .venv/ready $(DEPENDENCIES).txt
	rm -rf .tools/corpus
	mkdir -p .tools/corpus
	sed -n '/^pillow==/,/[^\\]$$/p' $(DEPENDENCIES).txt > .tools/corpus/pillow.txt
	cd .tools/corpus && $(CURDIR)/$(PYTHON) -m pip download --quiet --require-hashes --no-deps \
		--no-binary pillow --requirement pillow.txt && tar -xzf pillow-*.tar.gz
	if command -v apt-get > /dev/null; then \
		cd .tools/corpus && apt-get download -qq gdk-pixbuf-tests && dpkg-deb -x gdk-*.deb .; \
	else \
		echo "gdk-pixbuf's images are left out: there is no apt-get to fetch them."; \
	fi
	@touch $@

# Without npm there is less to measure against.
.tools/bench/ready: $(UV) requirements/bench.txt benchmarks/package.json
	$(UV) venv --quiet --clear .tools/bench
	$(UV) pip install --quiet --python .tools/bench/bin/python --require-hashes \
		--requirement requirements/bench.txt
	cp benchmarks/package.json .tools/bench
	! command -v npm > /dev/null || npm install --silent --ignore-scripts --no-package-lock \
		--prefix .tools/bench
	@touch $@
