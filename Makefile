# Every target sets up what it needs in $(VENV); PYTHON is the interpreter that a new one is made with.
PYTHON ?= $(shell for v in 3.13 3.12 3.11; do python$$v -c 'import venv, ssl' 2>/dev/null && { echo python$$v; exit; }; done; echo python3)
VENV ?= .venv
BIN = $(VENV)/bin
UV := $(shell command -v uv)
WORKERS ?= 2
TESTS ?= tests
MARKS ?= not stress
# The suite starts thousands of processes: without bytecode each would compile all modules anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lowest lint types coverage docs site release bench faults stress simulate mutation clean

# A plain path in place of the finder that setuptools writes: its import takes 15 ms in each of thousands of processes.
$(VENV)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("orchd needs Python 3.11 or newer, this is " + sys.version) if sys.version_info < (3, 11) else None'
ifneq ($(UV),)
	UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --quiet --python $(PYTHON) --all-extras
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[metrics,otel]' --group dev
endif
	printf '%s\n' '$(CURDIR)' | tee $(VENV)/lib/python3.*/site-packages/__editable__.orchd-*.pth >/dev/null
	touch $@

demo: $(VENV)/ready ## a real fleet of mock agents in a temporary home, shown live
	$(BIN)/orchctl demo

test: $(VENV)/ready ## the whole suite but what takes minutes
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m '$(MARKS)' $(TESTS)

# Tools of the tests are new; what pyproject.toml requires to run is as old as it permits.
lowest: $(VENV)/ready ## the quick tests with the lowest versions of the dependencies that pyproject.toml permits
	$(PYTHON) -m venv --clear .venvs/lowest
	.venvs/lowest/bin/python -m pip install --quiet uv
	.venvs/lowest/bin/uv pip install --quiet --python .venvs/lowest/bin/python --group test
	.venvs/lowest/bin/uv pip install --quiet --python .venvs/lowest/bin/python --resolution lowest-direct --editable '.[metrics,otel]'
	.venvs/lowest/bin/python -m pytest -q -n $(WORKERS) --dist worksteal -m 'not stress and not slow' $(TESTS)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/ready
	$(BIN)/mypy

COVERED = core protocol store
coverage: $(VENV)/ready ## every line and branch of the parts that need no process, each by its own tests alone
	$(MAKE) --no-print-directory -j $(WORKERS) $(COVERED:%=coverage-%)

# Left out is what runs no line that the other tests do not run: planted bugs, and chains that are only long.
coverage-%:
	data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && export COVERAGE_FILE="$$data/$*" ORCHD_PROFILE=coverage && \
	$(BIN)/coverage run --source orchd/$* -m pytest -q -p no:randomly -m '$(MARKS)' \
	    -k 'not very_long_chain' --ignore=tests/core/test_mutants.py tests/$* && \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report --skip-covered --fail-under=100

docs: $(VENV)/ready ## the parts of docs/ that are made from the code
	$(BIN)/python docs/generate.py

site: $(VENV)/ready ## the documents as a site in build/site; it is read offline, too
	$(BIN)/python -m pip install --quiet --group docs
	$(BIN)/zensical build --strict --config-file mkdocs.yml
	$(BIN)/python docs/offline.py build/site

release: $(VENV)/ready ## wheel, sdist, checksums and notes in dist/, tried in fresh environments
	$(BIN)/python -m pip install --quiet --group release
	.ci/release $(BIN)/python

bench: $(VENV)/ready ## orchd beside its peers, each ratio taken in one run: a quarter of an hour on two cores
	$(BIN)/python -m benchmarks

faults: $(VENV)/ready ## every fault beside the planted bug that it catches, then half an hour of load with faults
	$(BIN)/python -m benchmarks.faults
	$(BIN)/python -m benchmarks.faults.soak --minutes 30

stress: $(VENV)/ready faults simulate ## thousands of histories, every planted mutant, hundreds of kills, every fault, the soak: an hour
	ORCHD_PROFILE=stress $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m stress

simulate: $(VENV)/ready ## a million steps of the core with crashes; STEPS, and SEED to have the same ones again
	$(BIN)/python -m tests.simulation --steps $(or $(STEPS),1000000) $(if $(SEED),--seed $(SEED))

# MODULES names what is mutated, as in `make mutation MODULES='orchd.core.handlers.schedule.*'`; what is known already is not tested again.
mutation: $(VENV)/ready ## which changes to the core no test notices; the whole takes an hour
	$(BIN)/python -m pip install --quiet --group mutation
	nice -n 15 $(BIN)/mutmut run --max-children $(or $(CHILDREN),1) $(or $(MODULES),'orchd.core.*')
	$(BIN)/mutmut results

clean:
	rm -rf mutants $(VENV) .venvs build dist *.egg-info
