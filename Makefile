# Needs Python 3.11 or later, make and git; the rest is installed into .venv and .venv-fhir.
# Installing happens once and again when pyproject.toml or a lock changes: after that no target needs a network.

PYTHON ?= python3
SEKMET := sekmet-fhir==0.1.1
HEALTHCHAIN := healthchain==0.16.1
AXE    := axe-core@4.14.1
SPARK := pyspark==4.3.0
BIN    := .venv/bin
PIP    := -m pip --disable-pip-version-check --quiet

export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve test check docs-tables fuzz bench soak lint format languages lock clean clients chromium nginx postgresql .venv .venv-fhir

help:  ## show this list
	@grep -hE '^[.a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([.a-z-]+):[^#]*## /\1\t/' \
		| awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: .venv/.runtime .venv-fhir/.installed  ## a FHIR server with example patients, the service, and the first card (ONCE=1: print and stop)
	$(BIN)/cds-service demo $(if $(filter 1 yes true,$(ONCE)),--once)

serve: .venv/.runtime  ## the service alone, with your settings
	$(BIN)/cds-service serve

# CI installs the browser and the foreign clients by itself; elsewhere their tests are skipped until `make clients`.
CLIENTS := .venv-healthchain/.installed .axe/.$(AXE) chromium nginx
# So it does with the other FHIR servers of the tests (docs/servers.md).
SERVERS := .medplum/.installed .hapi/.installed postgresql
# And Spark, which is large (docs/prescreen-bulk-and-spark.md); Java 17 it does not install.
ENGINES := .venv/.$(SPARK)

test: .venv/.dev .venv-fhir/.installed $(if $(filter true,$(CI)),$(CLIENTS) $(SERVERS) $(ENGINES))  ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: sandbox-tests
sandbox-tests: .venv/.dev  ## one public sandbox read as in a hospital, over the internet: SANDBOX=hapi (docs/servers.md)
	@test -n "$(SANDBOX)" || { echo 'Name a sandbox: make sandbox-tests SANDBOX=hapi' >&2; exit 2; }
	SANDBOX="$(SANDBOX)" $(BIN)/python -m pytest tests/sandboxes

check: lint  ## lint, types, layers, rule files and the fast tests: before each commit
	$(BIN)/cds-service rules check
	$(BIN)/cds-service rules test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not server and not docs and not slow"

docs-tables: .venv/.dev  ## write docs/coverage-*.md, docs/conformance.md and docs/faults.md anew: which case, check or fault proves what
	$(BIN)/python -m tests.coverage_table
	$(BIN)/python -m tests.conformance.results_page
	$(BIN)/python -m tests.faults.fault_page

fuzz: OPENAPI_EXAMPLES ?= 240
fuzz: .venv/.dev  ## every property test with five times as many examples (FUZZ_EXAMPLES=500 per property), and 5,000 requests drawn from /openapi.json
	$(BIN)/python -m pytest --hypothesis-profile=fuzz -m hypothesis --ignore=tests/conformance/test_openapi.py --ignore=tests/faults/test_fault_law.py
	OPENAPI_EXAMPLES=$(OPENAPI_EXAMPLES) $(BIN)/python -m pytest --hypothesis-profile=fuzz tests/conformance/test_openapi.py
	FAULT_RUNS=5000 $(BIN)/python -m pytest --hypothesis-profile=fuzz -s tests/faults/test_fault_law.py

bench: .venv/.dev  ## how fast, as ratios to a parser and rules written by hand (BENCH="trials-1000", --json FILE): docs/benchmarks.md
	$(BIN)/python -m bench $(BENCH)

soak: .venv/.dev  ## a thousand charts from a FHIR server that stalls at random, and how late each was; prescreening runs killed 50 times, writers of the store 500 times
	$(BIN)/python -m tests.faults.random_stalls
	KILLS=50 $(BIN)/python -m pytest -q tests/cohort/test_kills.py
	KILLS=500 $(BIN)/python -m pytest -q tests/store/test_store_kills.py

lint: .venv/.dev  ## style, types and import layers; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/.dev  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

languages: .venv/.dev  ## compile the catalogues of translations after a change to a .po file
	$(BIN)/pybabel compile -d cds_service/languages -D "cds_service terminal"

lock: .venv/bin/python  ## take the newest allowed versions of everything into the lock files
	rm -rf .venv-lock
	$(BIN)/python -m venv .venv-lock
	.venv-lock/bin/python $(PIP) install '.[dev]'
	{ echo '# Exact versions of everything cds-service and its tests use. Made by: make lock'; \
		.venv-lock/bin/python -m pip freeze --exclude cds-service; } > requirements.lock
	rm -rf .venv-lock
	$(BIN)/python -m venv .venv-lock
	.venv-lock/bin/python $(PIP) install '$(SEKMET)'
	{ echo '# Exact versions of the demo FHIR server, in an environment of its own. Made by: make lock'; \
		.venv-lock/bin/python -m pip freeze; } > requirements-demo.lock
	rm -rf .venv-lock
	$(BIN)/python -m venv .venv-lock
	.venv-lock/bin/python $(PIP) install '$(HEALTHCHAIN)'
	{ echo '# Exact versions of the HealthChain client, in an environment of its own. Made by: make lock'; \
		.venv-lock/bin/python -m pip freeze; } > requirements-clients.lock
	rm -rf .venv-lock

clean:  ## remove what was installed and built
	rm -rf .venv .venv-fhir .venv-healthchain .axe .medplum .hapi .venv-lock build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: .venv/.dev  ## install the service and what its tests need
.venv-fhir: .venv-fhir/.installed  ## install the demo FHIR server

clients: $(CLIENTS)  ## install what the tests of browsers, other clients and the proxy need: chromium, Chinese fonts, poppler and nginx (Debian, as root), axe-core (npm), HealthChain
.venv/bin/python .venv-fhir/bin/python .venv-healthchain/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or later is needed; name it: make PYTHON=python3.12 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(@D:/bin=)

.venv/.runtime: pyproject.toml requirements.lock | .venv/bin/python
	@echo 'Installing cds-service into .venv (once; a minute or less) ...'
	$(BIN)/python $(PIP) install -c requirements.lock -e .
	@touch $@

.venv/.dev: pyproject.toml requirements.lock | .venv/bin/python
	@echo 'Installing cds-service and its test tools into .venv (once; about a minute) ...'
	$(BIN)/python $(PIP) install -c requirements.lock -e '.[dev]'
	@touch $@ .venv/.runtime

.venv-fhir/.installed: requirements-demo.lock | .venv-fhir/bin/python
	@echo 'Installing the demo FHIR server into .venv-fhir (once; a minute or less) ...'
	.venv-fhir/bin/python $(PIP) install -r requirements-demo.lock
	@touch $@

.venv-healthchain/.installed: requirements-clients.lock | .venv-healthchain/bin/python
	@echo 'Installing the HealthChain client into .venv-healthchain (once; a minute or less) ...'
	.venv-healthchain/bin/python $(PIP) install -r requirements-clients.lock
	@touch $@

.axe/.$(AXE):
	@echo 'Installing axe-core into .axe (once) ...'
	npm install --prefix .axe --no-save --ignore-scripts --no-audit --no-fund --loglevel=error $(AXE)
	@touch $@

.PHONY: spark
spark: $(ENGINES)  ## install the engine for many machines into .venv (450 MB; needs Java 17)
.venv/.$(SPARK): | .venv/.dev
	@echo 'Installing Spark into .venv (once; a minute or less) ...'
	$(BIN)/python $(PIP) install '$(SPARK)'
	@touch $@

.PHONY: medplum
medplum: .medplum/.installed  ## install the second FHIR server of the tests: Medplum's router (npm; needs Node 20)
.medplum/.installed: tests/servers/medplum/package.json
	@echo 'Installing the Medplum server of the tests into .medplum (once; some seconds) ...'
	@mkdir -p $(@D)
	cp $< $(@D)
	npm install --prefix $(@D) --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error
	@touch $@

.PHONY: hapi
hapi: .hapi/.installed  ## assemble the third FHIR server of the tests: HAPI FHIR JPA (Maven Central; needs a JDK 17 and Maven)
.hapi/.installed: tests/servers/hapi/pom.xml tests/servers/hapi/HapiServer.java
	@echo 'Assembling HAPI FHIR in .hapi (once; a minute or less, 250 MB) ...'
	rm -rf $(@D)
	mvn -q -B -ntp -f $< compile dependency:copy-dependencies
	@touch $@

chromium:
	@command -v chromium >/dev/null || { echo 'Installing chromium from Debian ...'; apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
	@command -v pdftotext >/dev/null || { echo 'Installing poppler-utils from Debian ...'; apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends poppler-utils >/dev/null; }
	@test -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc || { echo 'Installing fonts-noto-cjk from Debian ...'; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends fonts-noto-cjk >/dev/null; }

nginx:
	@PATH="$$PATH:/usr/sbin"; command -v nginx >/dev/null || { echo 'Installing nginx from Debian ...'; apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; }

postgresql:  ## install the database server of the store's tests from Debian, as root; they run one of their own (docs/store.md)
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { echo 'Installing PostgreSQL from Debian ...'; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; }
