# Bare `make` lists what can be made. Every target that needs the environment makes it on first use.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

# A ready environment that stands elsewhere: NBO_VENV=DIR make test
VENV := $(or $(NBO_VENV),$(CURDIR)/.venv)
PYTHON := "$(VENV)/bin/python"
# Without byte code every process would compile all it imports: seconds each time.
unexport VIRTUAL_ENV PYTHONHOME PYTHONDONTWRITEBYTECODE

# More arguments for pytest: make test ARGS="tests/unit -k asof"
ARGS ?=
# Test processes; 0 = none beside this one.
WORKERS ?= auto

.PHONY: help demo test test-spark check lint types contracts coverage bench-features bench-features-over-time bench-featuretools bench-families bench-scale bench-recommendations bench-online bench-next-product bench-real bench-real-ablation bench-world bench-publish mutants lock clean environment

help: ## list these targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS="	" read -r name text; do printf '  %-24s %s\n' "$$name" "$$text"; done

environment:
	@sh tools/environment

demo: environment ## simulate a small operator, train, promote, score and print the at-risk list (files in runs/demo)
	@"$(VENV)/bin/nbo" demo $(if $(NBO_DEMO_ACCOUNTS),--accounts $(NBO_DEMO_ACCOUNTS))

test: environment ## run the test suite (ARGS="-k word" narrows it)
	@$(PYTHON) -m pytest -n $(WORKERS) $(ARGS)

test-spark: environment ## compare every feature on real Sparks with the embedded engine, and kill their workers (needs Java)
	@NBO_TEST_REQUIRE=spark $(PYTHON) -m pytest tests/integration/test_spark.py tests/integration/test_spark_cluster.py $(ARGS)

coverage: environment ## run the test suite and fail under 90 % of lines (htmlcov/index.html shows which)
	@$(MAKE) --no-print-directory test ARGS='--cov=nbo --cov-report=term:skip-covered --cov-report=html --cov-fail-under=90 $(ARGS)'

check: environment ## all that CI runs: lint, types, contracts, then the tests with their coverage
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory contracts
	@$(MAKE) --no-print-directory coverage

lint: environment ## ruff: rules and layout
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

types: environment ## mypy --strict
	@$(PYTHON) -m mypy

contracts: environment ## import-linter: which module may import which
	@$(PYTHON) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo

bench-features: environment ## time the feature engine against a scan and plain SQL (writes runs/bench; ARGS="--shape large")
	@$(PYTHON) benchmarks/features.py $(ARGS)

bench-features-over-time: environment ## time months of features and one more day of a check (writes runs/bench)
	@$(PYTHON) benchmarks/features_over_time.py $(ARGS)

bench-featuretools: environment ## the same features by Featuretools and SQL: time, memory, lines to write (writes runs/bench)
	@sh tools/peers featuretools
	@$(PYTHON) benchmarks/features_beside.py $(ARGS)

bench-families: environment ## what each family of features is worth on the simulated operator (writes runs/bench)
	@$(PYTHON) benchmarks/families.py $(ARGS)

bench-scale: environment ## size an operator of 30 million lines from rates measured here (needs Java; writes runs/bench)
	@$(PYTHON) benchmarks/scale.py $(ARGS)

bench-recommendations: environment ## time recommending for a million accounts (writes runs/bench)
	@$(PYTHON) benchmarks/recommendations.py $(ARGS)

bench-online: environment ## time looking up one of a million accounts (writes runs/bench)
	@$(PYTHON) benchmarks/online.py $(ARGS)

bench-next-product: environment ## measure next-product rankings against their peers on public holdings (writes runs/bench)
	@$(PYTHON) benchmarks/next_product.py $(ARGS)

bench-real: environment ## measure the churn learner against its peers on public tables (writes runs/bench; ARGS=--quick)
	@sh tools/peers
	@$(PYTHON) benchmarks/real.py $(ARGS)

bench-real-ablation: environment ## measure what each ingredient of the churn learner is worth (writes runs/bench)
	@$(PYTHON) benchmarks/real_ablation.py $(ARGS)

bench-world: environment ## measure the simulated operator: speed, memory, realism, difficulty (writes runs/bench; ARGS=--quick)
	@$(PYTHON) benchmarks/world.py $(ARGS)

bench-publish: environment ## move the marked tables of runs/bench into docs/benchmarks.md
	@$(PYTHON) tools/publish_benchmarks.py

mutants: environment ## change the code of as-of, labels and signing at random and see the tests notice (minutes)
	@sh tools/mutants $(ARGS)

lock: ## write constraints/*.txt anew (UPGRADE=--upgrade takes the newest versions); needs uv and the network
	@UPGRADE='$(UPGRADE)' sh tools/lock

clean: ## remove the environment, caches and reports; runs, bundles and releases stay
	@rm -rf .venv .venv-peers .venv-featuretools mutants htmlcov dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src features training serving tests -name __pycache__ -type d -prune -exec rm -rf {} +
