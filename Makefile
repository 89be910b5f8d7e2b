# make demo   set up and see mcpobs work            make test   set up and run the tests
# Each makes its own virtual environment from hashed locks. Needs only Python 3.11 or newer.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
DEMO := .venv
TEST := .venv-test
PIP := -m pip install --quiet --disable-pip-version-check
FORMER := -m pip uninstall --quiet --quiet --yes --disable-pip-version-check mcpobs  # the name before mcpobs-otel
JOBS ?= 2
unexport PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes; each would compile all modules

.PHONY: demo test check unit lowest interop soak bench locks clean python

demo: $(DEMO)/installed
	$(DEMO)/bin/mcpobs demo

test: check unit

check: $(TEST)/installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

unit: $(TEST)/installed
	$(TEST)/bin/pytest -n $(JOBS)

# -- slow lanes: not part of `make test` ----------------------------------------------------------------

lowest: python  ## the tests on the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python $(PIP) --require-hashes -r requirements-lowest.lock
	.venv-lowest/bin/python $(PIP) --no-deps -e .
	.venv-lowest/bin/pytest -n $(JOBS)

interop: $(TEST)/installed  ## real servers, clients, OTLP senders and a Collector (needs npm and apt)
	$(TEST)/bin/pytest -m interop tests/interop

soak: $(TEST)/installed  ## kill -9 at random moments; a full disk; fuzzing of the OTLP decoder
	$(TEST)/bin/pytest -s -m soak tests

bench: $(TEST)/installed  ## every benchmark; writes bench/RESULTS.md
	$(TEST)/bin/python -m bench

# -- upkeep ----------------------------------------------------------------------------------------------

locks:  ## needs uv
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--quiet --extra demo -o requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--quiet --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	uv pip compile --python-version 3.11 --resolution lowest-direct --generate-hashes --no-emit-index-url \
		--no-header --quiet --extra dev -o requirements-lowest.lock pyproject.toml

clean:
	rm -rf $(DEMO) $(TEST) .venv-lowest dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

python:
	@test -n "$(PYTHON)" || { echo "mcpobs needs Python 3.11 or newer: set PYTHON=/path/to/python3" >&2; exit 2; }

$(DEMO)/installed: requirements.lock pyproject.toml $(shell find mcpobs queries collector-config -type f -not -name '*.pyc' 2>/dev/null)
	@$(MAKE) --no-print-directory python
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP) --require-hashes -r requirements.lock
	$(DEMO)/bin/python $(FORMER)
	$(DEMO)/bin/python $(PIP) --no-deps --force-reinstall .
	@touch $@

$(TEST)/installed: requirements-dev.lock pyproject.toml
	@$(MAKE) --no-print-directory python
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python $(PIP) --require-hashes -r requirements-dev.lock
	$(TEST)/bin/python $(FORMER)
	$(TEST)/bin/python $(PIP) --no-deps -e .
	@touch $@
