# Everything a contributor runs. Each target sets up what it needs: a fresh clone and Python 3.11 are enough.
PYTHON ?= $(shell for one in python3 python3.13 python3.12 python3.11; do \
  $$one -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$one && break; done)
BIN := .venv/bin
FUZZ := .cache/fuzz/venv
BENCH := .cache/bench/venv
.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: .venv/installed  ## make .venv with the package, its extras and the development tools

.venv/installed: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: demo
demo: install  ## the main job on an embedded broker and emulator, with a live display
	$(BIN)/connector demo

.PHONY: check
check: install  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: test
test: check  ## all checks and all tests, on a real broker that the tests bring up
	$(BIN)/python -m tests

.PHONY: test-deploy
test-deploy: .venv/deploy-installed  ## deploy/ for real: image, Prometheus, Alertmanager, Kubernetes, the page in a browser
	$(BIN)/python -m pytest --quiet -m deploy -n 2 --dist loadfile

.venv/deploy-installed: .venv/installed requirements-deploy.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-deploy.lock
	@touch $@

.PHONY: image
image:  ## the container image, by docker, podman or buildah (IMAGE=name:tag BASE=... SOURCE=...)
	@deploy/build-image

.PHONY: sbom
sbom: .venv/deploy-installed  ## dist/sbom.cdx.json: what the image installs, with versions, licences and who needs whom (CycloneDX)
	@deploy/write-sbom dist/sbom.cdx.json

.PHONY: test-fast
test-fast: install  ## the tests that need neither a broker nor a process of their own
	$(BIN)/python -m pytest --quiet -n 2 -m "not deploy" --ignore tests/kafka --ignore tests/end_to_end --ignore tests/sandbox \
	  --ignore tests/chaos --ignore tests/cli

.PHONY: bench
bench: install $(BENCH)/installed  ## every figure of docs/performance.md beside its goal (ONLY=throughput,latency RECORDS=N ROUNDS=N)
	$(BIN)/python -m tests.benchmarks --output .cache/bench/figures.md \
	  $(if $(ONLY),--only $(ONLY)) $(if $(RECORDS),--records $(RECORDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

$(BENCH)/installed: requirements-bench.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

.PHONY: chaos
chaos: install  ## ten minutes of load under kills, outages and faults, with a verdict (SECONDS=60 SEED=1)
	$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz: $(FUZZ)/installed  ## search for inputs that break a decoder, guided by coverage (SECONDS=60 for each target)
	$(FUZZ)/bin/python -m tests.fuzz --seconds $(or $(SECONDS),60)

$(FUZZ)/installed: requirements.lock requirements-fuzz.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	  -r requirements-fuzz.lock || { echo "make fuzz needs atheris: it comes for CPython 3.11 to 3.14 on x86-64 Linux with glibc alone" >&2; exit 1; }
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.PHONY: format
format: install  ## sort imports, mend what lint can mend, format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: install  ## resolve the dependencies again, with hashes and without index addresses
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade --extra sandbox pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade --extra sandbox --group dev pyproject.toml --output-file requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade --constraint requirements-dev.lock --group deploy --output-file requirements-deploy.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade --constraint requirements-dev.lock --group build --output-file requirements-build.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade --group fuzz --output-file requirements-fuzz.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade --group bench --output-file requirements-bench.lock

.PHONY: clean
clean:  ## remove what the targets made
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
