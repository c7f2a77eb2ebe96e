# make setup | demo | test | format | bench | docs. See README.md.
PYTHON ?= python3
# Where everything is installed. Another Python stands in another folder: make test PYTHON=python3.13 VENV=.venv-3.13
VENV ?= .venv
# The build of torch. For a GPU: make setup TORCH=torch==2.13.0 (PyPI's build, which carries CUDA).
TORCH ?= cpu
TORCH_VERSION := 2.13.0
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: setup demo test lint format bench docs clean

setup: $(VENV)/.ready
ifneq ($(origin PYTHON),file)
	@# An environment keeps the Python that it was made with.
	@$(BIN)/python -c 'import sys; held = "%d.%d" % sys.version_info[:2]; sys.exit(None if held == sys.argv[1] else f"$(VENV) holds Python {held}: remove it, or name another folder by VENV=")' \
	  "$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
endif

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "darec needs Python 3.11 or newer: make setup PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing torch ($(TORCH)) ..."
ifeq ($(TORCH),cpu)
	@# The CPU build is labelled +cpu where an index carries it; elsewhere (macOS) the plain build is it.
	$(PIP) install 'torch==$(TORCH_VERSION)+cpu' 2>/dev/null \
	  || $(PIP) install 'torch==$(TORCH_VERSION)' --index-url $(TORCH_CPU_INDEX) \
	  || $(PIP) install 'torch==$(TORCH_VERSION)'
else
	$(PIP) install '$(TORCH)'
endif
	@echo "Installing darec and what it needs ..."
	$(PIP) install -c constraints.txt -e '.[text,dev]'
	@touch $@

demo: setup
	$(BIN)/darec demo

test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2  # two workers, one thread each

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m benchmarks

docs: setup  # the site, in docs/_build/html; fails on any warning
	$(PIP) install -c constraints.txt -e '.[docs]'
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) docs/_build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
