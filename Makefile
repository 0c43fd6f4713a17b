# `make demo` and `make test` set up all that they use on a machine with Python 3.11 and make; when it is there they
# start at once.
#
#   PYTHON=/path/to/python3.11   the Python that makes .venv
#   TORCH_INDEX=URL              package index of torch alone, for example a CPU build
#   ARGS="--seed 2"              passed on to `prism demo`
#   SHARED_PYTHON=PATH           Python 3.11 with a shared library, for test-aligner; /usr/bin/python3.11 unless given
#   PYTEST_WORKERS=2             test processes side by side
#   IMAGES="cpu train"           which images; DOCKER=podman builds them with another program

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
SHARED_PYTHON ?= /usr/bin/python3.11
TORCH_INDEX ?=
ARGS ?=
PYTEST_WORKERS ?= 2
IMAGES ?=
DOCKER ?= docker

# The version of torch has one home, pyproject.toml; what is installed there is stamped with the file's checksum.
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
STATE := $(shell cksum < pyproject.toml | cut -d ' ' -f 1)
TORCH_STAMP := $(VENV)/.installed-$(subst ==,-,$(TORCH))
RUN_STAMP := $(VENV)/.installed-run-$(STATE)
DEV_STAMP := $(VENV)/.installed-dev-$(STATE)
LOCK_OF_.venv-nemo := containers/nemo/requirements.lock
LOCK_OF_.venv-aligner := containers/aligner/requirements.lock
NEMO_STAMP := .venv-nemo/.installed-$(shell cksum < containers/nemo/requirements.lock | cut -d ' ' -f 1)
ALIGNER_STAMP := .venv-aligner/.installed-$(shell cksum < containers/aligner/requirements.lock | cut -d ' ' -f 1)

# Without it, idle OpenMP threads spin and slow a second busy process down several times. They spin for a moment, so that
# short steps that follow each other needn't wake them.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 20000
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo demo-hybrid test test-full test-slurm test-ray test-nemo test-aligner test-report lint images images-render images-lock test-image sbom dist bench docs clean

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

test-slurm: $(DEV_STAMP) ## Launching and preparation on a real Slurm of this machine's loopback; installs it (Debian, root)
	@{ command -v slurmctld slurmd munged gcc && test -e /usr/include/slurm/spank.h; } > /dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge libslurm-dev gcc libc6-dev; }
	PRISM_TEST_SLURM=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/launch tests/data_prep/executor/test_slurm.py

test-ray: $(DEV_STAMP) ## Preparation on a real Ray of this machine; installs it into .venv
	$(BIN)/pip install --quiet -e '.[ray]'
	PRISM_TEST_RAY=1 $(BIN)/python -m pytest tests/data_prep/executor/test_ray.py

test-nemo: $(DEV_STAMP) $(NEMO_STAMP) ## NeMo from its lock file: recipes, data, checkpoints, a tiny GPT over gloo
	PRISM_TEST_NEMO=$(CURDIR)/.venv-nemo/bin/python OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/nemo/training tests/nemo/environment

test-aligner: $(DEV_STAMP) $(ALIGNER_STAMP) ## NeMo-Aligner from its lock file: its client and our server of rewards
	PRISM_TEST_ALIGNER=$(CURDIR)/.venv-aligner/bin/python PRISM_TEST_PYTRITON=$(CURDIR)/.venv-aligner/bin/python \
	  PRISM_HYDRA_PYTHON=$(CURDIR)/.venv-aligner/bin/python OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
	  tests/nemo/test_aligner_environment.py tests/nemo/test_reward_server.py tests/nemo/test_overrides.py

test-report: $(DEV_STAMP) ## Reports in headless Chromium: axe-core over every theme and width; needs chromium and npm
	npm install --no-save --silent axe-core@4.14.1
	$(BIN)/python -m pytest tests/report

lint: $(DEV_STAMP) ## Format, style, types, and which room may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

images: $(DEV_STAMP) ## Container images (docs/howto/containers.md)
	$(BIN)/python containers/render.py --engine $(DOCKER) --commands $(IMAGES) | sh -ex

images-render: $(DEV_STAMP) ## Write containers/versions.yaml into Dockerfiles and docs
	$(BIN)/python containers/render.py

images-lock: ## Resolve the images' lock files anew, from PyPI
	containers/lock.sh

test-image: $(DEV_STAMP) ## Build the CPU image with buildah and run the miniature's data in it; installs it (Debian, root)
	@command -v buildah mmdebstrap > /dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends buildah mmdebstrap; }
	PRISM_TEST_IMAGE=1 $(BIN)/python -m pytest tests/containers/test_cpu_image.py

sbom: $(DEV_STAMP) ## Bill of materials of .venv, dist/sbom.cdx.json
	@mkdir -p dist
	$(BIN)/python containers/sbom.py $(BIN)/python dist/sbom.cdx.json

dist: $(DEV_STAMP) ## sdist and wheel in dist/
	$(BIN)/python -m build --outdir dist .

bench: $(DEV_STAMP) ## Every benchmark, peer and ours in one run; writes benchmarks/results/
	$(BIN)/python benchmarks/_run.py

docs: $(DEV_STAMP) ## The documentation site, in site/; fails on a broken link
	$(BIN)/pip install --quiet -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "made site/index.html"

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

# Each lock file is a whole environment whose packages' own pins contradict each other: nothing is resolved.
$(NEMO_STAMP): PYTHON_OF = $(BIN)/python
$(ALIGNER_STAMP): PYTHON_OF = $(SHARED_PYTHON)
$(NEMO_STAMP) $(ALIGNER_STAMP): $(TORCH_STAMP)
	@command -v $(PYTHON_OF) >/dev/null || { echo "$(PYTHON_OF) is missing: PyTriton wants a Python 3.11 with a shared \
	library, Debian's python3.11 and python3.11-venv; name another with SHARED_PYTHON=PATH"; exit 2; }
	rm -rf $(@D) && $(PYTHON_OF) -m venv $(@D)
	$(@D)/bin/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	grep -v '^torch==' $(LOCK_OF_$(notdir $(@D))) > $(@D)/rest.lock
	$(@D)/bin/pip install --quiet --no-deps -r $(@D)/rest.lock
	touch $@
