# make lab   all labs on the embedded data at reduced sizes, every claim verified -> build/lab/index.html
# make test  all tests
# make check lint, types, layers

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TORCH := $(shell grep '^torch==' constraints.txt)

.PHONY: lab test check wheel clean

lab: $(VENV)/.runtime
	$(VENV)/bin/torchclinic lab --fast --out build/lab
	@echo "Report: build/lab/index.html"

test: $(VENV)/.development
	$(PYTHON) -m pytest --numprocesses auto --dist loadfile

check: $(VENV)/.development
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

wheel: $(VENV)/.development
	rm -rf build/wheel
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel .

# torch goes first, alone and exactly pinned: a range would pull the largest build of the newest release.
$(VENV)/.runtime: pyproject.toml constraints.txt
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) --editable .
	touch $@

$(VENV)/.development: $(VENV)/.runtime
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf build dist .venv
