# Every target sets up what it needs. `make demo` and `make test` are all a newcomer has to know.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEEP ?= 1

.PHONY: help demo test test-fast lint fmt docs bench lock deb sbom images clean
help:
	@echo "make demo         the tour: a PACS, an identity provider, an agent and the gateway (KEEP=0: end by itself)"
	@echo "make test         everything: fast tests and the system tests with the real parts"
	@echo "make test-fast    the tests that need nothing but Python"
	@echo "make lint         ruff, mypy, import contracts"
	@echo "make fmt          format the tree"
	@echo "make docs         write the generated parts of the references"
	@echo "make bench        measure, side by side with nginx and Envoy"
	@echo "make images       the images gateway and agent, with buildah, podman or docker"
	@echo "make deb          the agent's Debian package, in dist/ (DEB='--python 3.13 --architecture arm64')"
	@echo "make sbom         what gateway and agent are made of (CycloneDX), in dist/"
	@echo "make lock         write requirements/*.lock: each file that may be installed, by its hash"

$(VENV)/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all]'
	@touch $@

$(VENV)/.develop: $(VENV)/.runtime
	$(BIN)/pip install --quiet --constraint constraints.txt --group test --group lint --group build
	@touch $@

demo: $(VENV)/.runtime
	$(BIN)/leadglass demo $(if $(filter 0,$(KEEP)),--no-keep,)

test: $(VENV)/.develop
	PYTHON=$(BIN)/python sh tests/provision.sh
	$(BIN)/pytest -q

test-fast: $(VENV)/.develop
	$(BIN)/pytest -q -m "not system"

lint: $(VENV)/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.develop
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.runtime
	$(BIN)/python docs/generate.py

bench: $(VENV)/.develop
	PYTHON=$(BIN)/python sh tests/provision.sh --bench
	$(BIN)/pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m bench

LOCK := $(BIN)/uv pip compile --quiet --constraint constraints.txt --generate-hashes --universal --python-version 3.11 --no-header --no-annotate

lock: $(VENV)/.runtime
	$(BIN)/pip install --quiet --constraint constraints.txt --group lock
	$(LOCK) pyproject.toml --output-file requirements/agent.lock
	$(LOCK) pyproject.toml --extra gateway --output-file requirements/gateway.lock
	$(LOCK) --group build --output-file requirements/build.lock

$(VENV)/.build: $(VENV)/.runtime
	$(BIN)/pip install --quiet --constraint constraints.txt --group build
	@touch $@

deb: $(VENV)/.build
	$(BIN)/python -m release.deb $(DEB)

sbom: $(VENV)/.build
	$(BIN)/python -m release.sbom

images:
	sh release/images.sh

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
