# A bare `make` prints what there is.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help chaos browser-test habits-test client-suites demo moto-suite test check format bench bench-footprint bench-emulator bench-instructions bench-client bench-requests bench-tasks clean-install-test template build clean

help: ## what this project can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

$(BIN)/python:
	@echo "Making an environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what the demo needs (a minute or so, once) ..."
	@$(PIP) install -c constraints.txt -e '.[demo]' && touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what the tests need (a minute or so, once) ..."
	@$(PIP) install -c constraints.txt -e '.[dev]' && touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## real work through queues, a worker and a Lambda function, on this machine alone
	@$(BIN)/python -m examples.demo

test: check ## everything CI runs: check, then all tests but the slow suites
	@$(BIN)/pytest -n auto --dist loadfile

check: $(VENV)/.dev ## format, lint, types, import rules: seconds
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code into the project's format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

template: $(VENV)/.dev ## write template.yaml anew from examples/shop
	@$(BIN)/cloudq infra template -A examples.shop.tasks -o template.yaml

bench: bench-tasks bench-requests bench-client bench-footprint bench-emulator bench-instructions ## all of them, into docs/benchmarks.md: an hour and a quarter

bench-emulator: $(VENV)/.dev ## the emulator beside moto_server; eight minutes, one with BENCH=--quick
	@$(BIN)/python -m benchmarks.emulator $(BENCH)

bench-instructions: $(VENV)/.dev ## instructions of hot paths, by callgrind: two minutes, the same however busy it is
	@$(BIN)/python -m benchmarks.instructions $(BENCH)

.venv-peers/.done: benchmarks/peers.txt
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/pip --disable-pip-version-check --quiet install -r $< && touch $@

bench-tasks: $(VENV)/.dev .venv-peers/.done ## cloudq's worker and sender beside those of others: half an hour; BENCH='--only redis' a third of it
	@$(BIN)/python -m benchmarks.tasks $(BENCH)

bench-client: $(VENV)/.dev ## requests to SQS a second of one process, cloudq's transport beside boto3: half a minute
	@$(BIN)/python -m benchmarks.client $(BENCH)

bench-requests: $(VENV)/.dev .venv-peers/.done ## requests to SQS for a task, ours and the peers', counted: a quarter of an hour
	@$(BIN)/python -m benchmarks.requests $(BENCH)

bench-footprint: $(VENV)/.dev .venv-peers/.done ## memory of workers and cost of imports, ours and the peers': two minutes
	@$(BIN)/python -m benchmarks.footprint $(BENCH)

browser-test: $(VENV)/.dev ## the emulator's page in headless Chromium, which it installs (apt-get) where there is none
	@$(PIP) install -c constraints.txt -e '.[browser]'
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	@$(BIN)/pytest -q tests/emulator -m browser

.clients/.done:
	@$(PYTHON) -m venv .clients
	@.clients/bin/pip --disable-pip-version-check --quiet install awscli awscli-local
	@npm install --silent --prefix .clients @aws-sdk/client-sqs && touch $@

habits-test: $(VENV)/.dev .clients/.done ## the aws command line, awslocal and the JavaScript SDK against the emulator
	@CLOUDQ_TEST_CLIENTS=$(CURDIR)/.clients $(BIN)/pytest -q tests/emulator/test_habits.py -m ""

CHAOS := $(BIN)/python -m tests.chaos.run
chaos: $(VENV)/.dev ## 100,000 tasks on every broker, amid kill -9 of workers, children and brokers: a quarter of an hour
	@$(CHAOS) --broker sqlite $(ARGS)
	@$(CHAOS) --broker redis $(ARGS)
	@$(CHAOS) --broker rabbitmq $(ARGS)
	@$(CHAOS) --broker rabbitmq-classic $(ARGS)
	@$(CHAOS) --broker sqs $(ARGS)
	@$(CHAOS) --broker sqs --faults $(ARGS)

clean-install-test: $(VENV)/.dev ## the wheel, alone in an empty environment, runs tasks
	@$(BIN)/pytest -q tests/packaging -m wheel

moto-suite: $(VENV)/.dev ## moto's own tests of SQS, against the emulator: half a minute
	@$(BIN)/python tests/emulator/moto_suite/run.py

client-suites: $(VENV)/.dev ## other projects' SQS clients, in an environment of their own, against the emulator
	@$(BIN)/python tests/emulator/clients/run.py

build: $(VENV)/.dev ## the wheel and the sdist, in dist/
	@$(BIN)/python -m build --outdir dist .

clean: ## remove what was built and installed
	rm -rf $(VENV) .venv-peers .clients dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache demo-output
