# Everything a newcomer needs: `make demo` and `make test` set up what they use and are quick when it is there.
#
# Overrides:  PYTHON=python3.11       which Python makes the environment
#             TORCH_INDEX=URL         index that torch alone is installed from (a CPU build elsewhere)
#             WORKERS=2               test processes side by side

PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH_INDEX ?=
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0

export OMP_WAIT_POLICY := PASSIVE
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo demo-hybrid test lint bench clean

setup: $(VENV)/.dev ## Environment with everything, tests and linters included

demo: $(VENV)/.run ## The whole chain on two CPU cores, with a report
	$(BIN)/prism demo

demo-hybrid: $(VENV)/.run
	$(BIN)/prism demo --hybrid

test: $(VENV)/.dev ## The tests: under 20 minutes on two cores
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup tests

lint: $(VENV)/.dev ## Format, style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy prism data_prep
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Every benchmark; results go to benchmarks/results/
	$(BIN)/python benchmarks/_run.py

clean: ## Removes the environment, not the runs
	rm -rf $(VENV) build *.egg-info

# torch goes first and alone: any looser requirement would bring gigabytes of CUDA wheels.
$(VENV)/.torch:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else f"error: Python {v[0]}.{v[1]} found, 3.11 or 3.12 is needed. Remedy: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@touch $@

$(VENV)/.run: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet -e '.[engine,data]'
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet -e '.[engine,data,dev]'
	@touch $(VENV)/.run $@
