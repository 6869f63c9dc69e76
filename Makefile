# All commands of the project. Everything is installed below .venv and frontend/node_modules.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTO := tensorboard_gradhealth/storage/plugin_data.proto

export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo check test trust matrix release-check frontend format docs screenshots proto clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 23

demo: $(VENV)/.demo frontend ## Train sick and healthy networks and open them in TensorBoard
	$(BIN)/python -m demo

check: $(VENV)/.dev frontend ## Lint, check types and run the quick tests, in about a minute
	@echo "== lint and types"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.docs --check
	@echo "== quick tests"
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal -m "not slow and not browser"
	@echo "== frontend"
	$(BIN)/python _build/frontend.py check

test: check ## Run all tests: those of check, with a real TensorBoard, and in a browser
	@echo "== tests with TensorBoard, training and a browser"
	.ci/chromium
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope -m "slow or browser"

trust: $(VENV)/.dev ## Inject faults, fuzz requests and logs, in earnest, for an hour, and count them
	$(BIN)/python -m tools.trust

matrix: $(VENV)/.dev frontend ## Try old and new versions of all that it works with (half an hour)
	$(BIN)/python -m tools.matrix

release-check: $(VENV)/.dev frontend ## Build what would be released, look into it and try it outside
	$(BIN)/python -m tools.release

frontend: $(VENV)/.created ## Build the browser part, if its sources changed
	@node="$$($(BIN)/python _build/frontend.py requires)" && \
	  if [ -n "$$node" ]; then $(BIN)/pip install --quiet "$$node"; fi
	@$(BIN)/python _build/frontend.py build

format: $(VENV)/.dev ## Format the Python sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.demo ## Write the pages of rules, signals and the API
	$(BIN)/python -m tools.docs

screenshots: $(VENV)/.dev frontend ## Take the pictures of the tab in docs/images
	.ci/chromium
	$(BIN)/python -m tools.screenshots

proto: $(VENV)/.proto ## Generate the Python code of the log's metadata
	$(VENV)/proto/bin/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. $(PROTO)

clean: ## Remove everything that was built or installed here
	rm -rf $(VENV) .matrix build dist *.egg-info tensorboard_gradhealth/static frontend/node_modules
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Name a Python 3.10 or newer: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python 3.10 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	    "Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot create virtual environments." \
	    "On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: setup.py pyproject.toml $(wildcard _build/*.py) | $(VENV)/.created
	@echo "Installing TensorFlow and this package into $(VENV); the first time takes a minute ..."
	$(BIN)/pip install --quiet --editable '.[cpu,demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "Installing the development tools into $(VENV) ..."
	@node="$$($(BIN)/python _build/frontend.py node)" && \
	  $(BIN)/pip install --quiet --editable '.[cpu,demo,dev]' $${node:+"$$node"}
	@touch $@

# An environment of its own: this version of the compiler generates code that runs on every
# protobuf that setup.py allows, but cannot be installed beside the newest of them, nor on
# Python 3.13.
$(VENV)/.proto: | $(VENV)/.created
	$(PYTHON) -m venv $(VENV)/proto
	$(VENV)/proto/bin/pip install --quiet grpcio-tools==1.62.3 'setuptools<82'
	@touch $@
