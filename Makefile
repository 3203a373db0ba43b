# `make serve` and `make test` do all the set-up themselves; `make help` lists the rest.
# Settings are environment variables, which every target passes on: PARLEY_PORT=9000 make serve

# The environment's own Python starts faster than a version manager's, and is there from the second run on.
PYTHON := $(shell test -x .venv/bin/python && echo .venv/bin/python || echo python3)
BIN := .venv/bin
# Should make be killed, the server is told to end too.
TIED := $(shell command -v setpriv >/dev/null && setpriv --help | grep -q pdeathsig && echo setpriv --pdeathsig TERM)
# A file's tests run in one process, which has a PostgreSQL of its own; how many processes, and which files begin, says
# tests/conftest.py.
SPREAD := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
INSTALL := $(shell command -v uv >/dev/null && echo uv pip install --python $(BIN)/python || echo $(BIN)/python -m pip install --disable-pip-version-check)
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help serve test soak check format lock browser-test bench bench-curves setup setup-dev

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

serve: setup ## start Parley; ARGS="--port 9000 --workers 2"
	@exec $(TIED) $(BIN)/python server.py serve $(ARGS)

test: check ## run the checks, then all tests; ARGS="-k seq" for some
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),$(SPREAD) --cov --cov-report=term-missing:skip-covered)

soak: setup-dev ## the tests of faults at length, and a table of what each did; FOR=30 seconds each
	@SOAK=$(or $(FOR),30) $(BIN)/python -m pytest tests/faults $(ARGS)

check: setup-dev ## ruff, mypy, the import contracts, the committed schema
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > .venv/imports.log || { cat .venv/imports.log; exit 1; }
	@$(BIN)/python server.py schema | diff -u schema/schema.graphql -

browser-test: setup-dev ## the GraphiQL page in a real Chromium, and graphql-ws in Node; needs both
	@cd tests/flow/browser && npm ci --silent
	@REQUIRE_BROWSER=1 $(BIN)/python -m pytest tests/flow/test_browser.py tests/flow/test_reconnect.py

bench: setup ## measure Parley beside others; ARGS="--only page --peers parley,node", ARGS="fan-out --rounds 3"
	@exec $(TIED) $(BIN)/python -m bench $(ARGS)

bench-curves: setup ## measure how the figures move as there is more, and draw it into docs/; ARGS="history --rounds 1"
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null || $(INSTALL) --quiet --require-hashes --only-binary :all: -r requirements-bench.txt
	@exec $(TIED) $(BIN)/python -m bench.curves $(ARGS)
	@$(BIN)/python -m bench.draw

format: setup-dev ## put the code into shape
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format

lock: ## pin the dependencies of pyproject.toml anew, with hashes; UPGRADE=1 takes the newest versions
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	$(LOCK) --group bench -c requirements-dev.txt -o requirements-bench.txt

setup:
	@$(PYTHON) bootstrap.py

setup-dev:
	@$(PYTHON) bootstrap.py --dev
