# The commands of the project. Each does its own set-up; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Compiled tests are kept: to compile them takes longer than to collect them, in each worker anew.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPATH := engines:server:clients/python

.DEFAULT_GOAL := help
.PHONY: help run test test-deep check lint quick coverage load bench profile demo demo-llm docs dashboards proto sdk lock image release sbom audit hooks clean

# Tests wait more than they compute: twice as many workers as cores. `make test WORKERS=0` runs them in one process.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
PYTEST := $(BIN)/python -m pytest
IN_PARALLEL := -n $(WORKERS) --dist loadfile
SYSTEM_PACKAGES := postgresql pgbouncer faketime redis-server protobuf-compiler curl jq

help: ## List the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Making the virtual environment $(VENV) ..."
	@rm -rf $(VENV); $(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  scripts/system-packages python3-venv && rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }

$(READY): requirements.lock pyproject.toml | $(BIN)/pip
	@echo "Installing the $$(grep -c == requirements.lock) packages of requirements.lock into $(VENV): a few minutes, only now and when they change ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "Installing this project into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY) ## Serve on ports 9090 (gRPC), 8080 (HTTP) and 9091 (metrics), data under ./data
	@echo "Starting the server; Ctrl-C stops it ..."
	@$(BIN)/schema-registry-server serve

demo: $(READY) ## Start a server, import real schemas twice, show the verdicts
	@echo "Starting a server and registering real schemas: about a minute ..."
	@$(BIN)/python examples/demo.py

demo-llm: $(READY) ## One page: a schema for OpenAI, an answer that is stopped and re-asked, a fix, MCP; with a fake provider
	@echo "Starting a server, and a provider that is none, on this machine ..."
	@PYTHONPATH="$(PYTHONPATH):$$(scripts/integrations)" $(BIN)/python examples/demo_llm.py

test: check ## Run the checks and the tests

lint: $(READY) ## ruff: format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

quick: lint ## ruff, unit and API tests: what to run while you write, in less than a minute
	@scripts/system-packages redis-server
	$(PYTEST) -n $$((3 * $$(nproc) / 2)) --dist loadfile -m "not deep and not slow" tests/unit tests/api

check: lint ## ruff, mypy --strict, import contracts, tests
	$(BIN)/mypy
	MYPYPATH=engines:server:clients/python:loadtest:loadtest/locust $(BIN)/mypy loadtest/*.py loadtest/engines/*.py loadtest/loads loadtest/micro loadtest/locust/*.py
	$(BIN)/lint-imports
	@scripts/system-packages $(SYSTEM_PACKAGES)
	@scripts/prometheus-tools
	@PYTHON=$(PYTHON) scripts/tools >/dev/null
	@scripts/integrations >/dev/null
	$(PYTEST) $(IN_PARALLEL)

coverage: $(READY) ## Lines and branches of the server that unit and API tests reach; fails below its thresholds
	@scripts/system-packages $(SYSTEM_PACKAGES)
	@scripts/prometheus-tools
	$(PYTEST) $(IN_PARALLEL) --cov --cov-report= --timeout 600 tests/unit tests/api
	@mkdir -p build
	$(BIN)/coverage json --quiet -o build/coverage.json
	$(BIN)/python scripts/coverage_thresholds.py build/coverage.json

test-deep: $(READY) ## The long runs over large data, which `make test` samples
	@scripts/system-packages $(SYSTEM_PACKAGES)
	@scripts/prometheus-tools
	$(PYTEST) -m deep --timeout 3600

load: $(READY) ## Load a server with its stores, check every answer, write loadtest/results/load.md; LOAD_SCENARIOS=reads LOAD_SECONDS=5 ... (docs/performance.md)
	@scripts/system-packages postgresql redis-server
	$(BIN)/python loadtest/load.py

bench: $(READY) ## Micro-benchmarks of two commits side by side: make bench BEFORE=v0.2.0 [AFTER=HEAD] [ONLY=compare] [MARKDOWN=file]
	$(BIN)/python loadtest/bench.py --before $(or $(BEFORE),HEAD~) $(if $(AFTER),--after $(AFTER)) $(if $(ONLY),--only "$(ONLY)") $(if $(MARKDOWN),--markdown $(MARKDOWN))

profile: $(READY) ## Flame graphs of reads, registrations and validations on each wire, in loadtest/results/profiles; ONLY="hot read, HTTP"
	@scripts/system-packages nghttp2-client
	$(BIN)/python loadtest/profiles.py $(if $(ONLY),--only "$(ONLY)")

docs: $(READY) ## Write the pages of docs/ and of the chart that come from the code
	$(BIN)/python docs/generate.py

dashboards: ## Write deploy/grafana/*.json from deploy/grafana/source, then `make docs`
	"$$(PYTHON=$(PYTHON) scripts/tools)"/bin/python -B deploy/grafana/generate.py
	@$(MAKE) --no-print-directory docs

proto: $(READY) ## Generate the SDK's stubs from protos/
	$(BIN)/python protos/generate.py

sdk: $(READY) ## Generate the methods of the SDK's clients from its _calls
	$(BIN)/python clients/python/generate.py

lock: | $(BIN)/pip ## Resolve the dependencies anew into requirements.lock, tools.lock and integrations.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements.lock
	$(BIN)/uv pip compile --group tools --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o tools.lock
	$(BIN)/uv pip compile --group integrations --overrides requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o integrations.lock

image: ## Build the image; IMAGE_OPTIONS=--offline needs no registry of images (scripts/image)
	@scripts/image $(IMAGE_OPTIONS)

release: $(READY) ## Build wheel and sdist in dist/, install the wheel into an empty environment, run the demo from it
	@scripts/release --python $(BIN)/python

sbom: $(READY) ## Write dist/sbom.cdx.json: what an installation with all extras consists of (CycloneDX)
	@PYTHON=$(PYTHON) scripts/sbom

audit: sbom ## The bill of materials, and whether vulnerabilities of the locked packages are known (asks PyPI)
	"$$(PYTHON=$(PYTHON) scripts/tools)"/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

hooks: ## Run ruff and others before each commit, as .pre-commit-config.yaml says
	@"$$(PYTHON=$(PYTHON) scripts/tools)"/bin/pre-commit install

clean: ## Remove the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
