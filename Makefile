# The same commands for people and for CI.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check install --quiet --only-binary :all: -c constraints.txt
PYTEST_ARGS ?=
# Processes that tests start, workers too, compile the code once for all and not each for itself,
# beside the sources' folders and also where the environment forbids it in them.
test test-postgresql: export PYTHONDONTWRITEBYTECODE :=
test test-postgresql: export PYTHONPYCACHEPREFIX ?= $(abspath $(VENV))/.bytecode
DATABASE_TESTS := tests/apps $(addprefix tests/detectviz/,crypto permissions resources runtime)

.PHONY: up demo test test-postgresql lint bench check audit clean format

up: $(VENV)/.runtime  ## start everything in this folder's var/
	@$(BIN)/python manage.py up

demo: $(VENV)/.runtime  ## the same, with demonstration data
	@$(BIN)/python manage.py up --demo

test: $(VENV)/.development  ## the whole suite; a missing server program skips its tests and is named
	$(BIN)/pytest -n 2 --dist loadfile $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory test-postgresql

test-postgresql: $(VENV)/.development  ## what speaks to the database, once more on a private PostgreSQL
	$(BIN)/python -m detectviz.testing.on_postgresql \
		$(BIN)/pytest -n 2 --dist loadfile $(DATABASE_TESTS) $(PYTEST_ARGS)

lint: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/djlint templates apps plugins --lint --quiet
	$(BIN)/codespell
	DETECTVIZ_DATA_DIR=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run
	DETECTVIZ_DATA_DIR=$$(mktemp -d) DETECTVIZ_EXTERNAL_URL=https://detectviz.example DETECTVIZ_ALLOWED_HOSTS=detectviz.example DETECTVIZ_TRUSTED_PROXIES=127.0.0.1/32 \
		$(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py plugins check --all
	$(BIN)/python -m tests.architecture.sizes

bench: $(VENV)/.development  ## ratios against peers measured in the same run
	$(BIN)/python -m tests.bench

check: test lint  ## what CI runs

audit: $(VENV)/.development  ## known holes in the pinned packages; needs the advisory service
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

format: $(VENV)/.development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.runtime: pyproject.toml constraints.txt
	@test -x $(BIN)/python || { echo "Making a virtual environment in $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing pinned packages …"
	@$(BIN)/pip --disable-pip-version-check install --quiet 'pip==26.3'
	@$(PIP) --editable .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime
	@$(PIP) --group dev --group test
	@touch $@
