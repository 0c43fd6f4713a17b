# `make demo` and `make test` set up all that they use on a machine with Python 3.11 and make; when it is there they
# start at once.
#
#   PYTHON=/path/to/python3.11   the Python that makes .venv
#   TORCH_INDEX=URL              package index of torch alone, for example a CPU build
#   ARGS="--seed 2"              passed on to `prism demo`
#   PYTEST_WORKERS=2             test processes side by side

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
TORCH_INDEX ?=
ARGS ?=
PYTEST_WORKERS ?= 2

# The version of torch has one home, pyproject.toml; what is installed there is stamped with the file's checksum.
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
STATE := $(shell cksum < pyproject.toml | cut -d ' ' -f 1)
TORCH_STAMP := $(VENV)/.installed-$(subst ==,-,$(TORCH))
RUN_STAMP := $(VENV)/.installed-run-$(STATE)
DEV_STAMP := $(VENV)/.installed-dev-$(STATE)

# Without it, idle OpenMP threads spin and slow a second busy process down several times. They spin for a moment, so that
# short steps that follow each other needn't wake them.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 20000
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo demo-hybrid test test-full test-slurm test-ray lint bench clean

help: ## What there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

setup: $(DEV_STAMP) ## Environment in .venv with everything: engine, data, tests, linters

demo: $(RUN_STAMP) ## The whole chain on two CPU cores, from raw text to report
	$(BIN)/prism demo $(ARGS)

demo-hybrid: $(RUN_STAMP) ## The same on an attention-Mamba hybrid
	$(BIN)/prism demo --hybrid $(ARGS)

test: $(DEV_STAMP) ## All tests, under 20 minutes on two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup tests

test-full: $(DEV_STAMP) ## All tests, and every layout of the equality matrix (docs/parallelism.md)
	PRISM_TEST_FULL=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup tests

test-slurm: $(DEV_STAMP) ## Preparation on a real Slurm of this machine's loopback; installs it (Debian, root)
	@command -v slurmctld slurmd munged > /dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge; }
	PRISM_TEST_SLURM=1 $(BIN)/python -m pytest tests/data_prep/executor/test_slurm.py

test-ray: $(DEV_STAMP) ## Preparation on a real Ray of this machine; installs it into .venv
	$(BIN)/pip install --quiet -e '.[ray]'
	PRISM_TEST_RAY=1 $(BIN)/python -m pytest tests/data_prep/executor/test_ray.py

lint: $(DEV_STAMP) ## Format, style, types, and which room may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV_STAMP) ## Every benchmark, peer and ours in one run; writes benchmarks/results/
	$(BIN)/python benchmarks/_run.py

clean: ## Remove the environment and caches; runs stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# torch goes first and by itself: a looser requirement elsewhere would bring gigabytes of CUDA libraries.
$(TORCH_STAMP):
	@found=; fits() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; }; \
	for name in $(or $(PYTHON),python3.11 python3.12 python3); do \
	  if fits "$$name"; then found="$$name"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "error: $(or $(PYTHON),python3.11 python3.12 python3): none of these is Python 3.11 or 3.12. Remedy: install Python 3.11, or name it: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	echo "making $(VENV) with $$found"; \
	"$$found" -m venv $(VENV) || { echo "error: $$found can't make a virtual environment. Remedy: install its venv package (Debian: python3-venv)" >&2; exit 1; }
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@rm -f $(VENV)/.installed-* && touch $@

$(RUN_STAMP): $(TORCH_STAMP)
	$(BIN)/pip install --quiet -e '.[engine,data]'
	@rm -f $(VENV)/.installed-run-* $(VENV)/.installed-dev-* && touch $@

$(DEV_STAMP): $(TORCH_STAMP)
	$(BIN)/pip install --quiet -e '.[engine,data,serve,dev]'
	@rm -f $(VENV)/.installed-run-* && touch $(RUN_STAMP) $@
