# The commands of the README. Everything is made under .venv/ and $(BILLING_HOME), and `make clean` removes it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PERIOD ?= 2010-11
export BILLING_HOME ?= $(CURDIR)/.billing
UTILITY_HOME := $(BILLING_HOME)/utility
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run ui utility test browser redis pgbouncer mssql sshd audit lint format docs proving bench faults celery clean

help: ## what can be done here
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt 'pip>=25.1'
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[celery,kubernetes,mssqlpython]' --group dev
	@touch $@

run: setup ## bill a month of the sample: PERIOD=2010-11 (default), another month, or all
	@$(BIN)/billing run --sample --period $(PERIOD)

ui: setup ## the same system with the web UI on 127.0.0.1:3000, until Ctrl-C
	@$(BIN)/billing up --sample --period $(PERIOD)

utility: setup ## a made utility: three months of market files, bills, the sandbox of NetSuite, compared with a ledger
	@BILLING_HOME=$(UTILITY_HOME) $(BIN)/billing utility

test: setup browser pgbouncer mssql sshd ## the whole test suite
	$(BIN)/pytest

proving: setup redis ## a short form of every campaign and benchmark (faults, bench and celery are the full ones)
	$(BIN)/pytest proving/tests

# Browser tests need a Chromium; CI installs Debian's, elsewhere they are left out when there is none.
browser:
	@command -v chromium >/dev/null || { [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } || \
	  echo "No Chromium here: the browser tests will be left out."

redis: # for runs on Celery workers
	@command -v redis-server >/dev/null || { [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends redis-server >/dev/null; } || \
	  echo "No redis-server here: the test of Celery workers will be left out."

pgbouncer: # a connection pool between us and PostgreSQL
	@command -v pgbouncer >/dev/null || { [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends pgbouncer >/dev/null; } || \
	  echo "No PgBouncer here: the tests of connection pools will be left out."

mssql: # the system's libraries that Microsoft's driver for SQL Server needs
	@ldconfig -p 2>/dev/null | grep -q libltdl.so.7 || { [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends libltdl7 libkrb5-3 libgssapi-krb5-2 >/dev/null; } || \
	  echo "No libltdl here: the tests that load Microsoft's driver for SQL Server will be left out."

sshd: # an SFTP server
	@[ -x /usr/sbin/sshd ] || { [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends openssh-server >/dev/null; } || \
	  echo "No OpenSSH server here: the tests of SFTP will be left out."

audit: setup ## known weaknesses of what is installed, asked at PyPI (needs the internet, so `lint` does without)
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install --quiet 'pip-audit>=2.10'
	@$(VENV)/audit/bin/pip-audit --strict --progress-spinner off --disable-pip --no-deps --requirement constraints.txt || \
	  { echo "Not clean, or not looked at: \"not found on PyPI\" means that PyPI's advisories cannot be reached here." >&2; exit 1; }

lint: setup ## lint, format check, room boundaries, strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: setup ## speed and memory as ratios; writes docs/performance.md and its picture (two hours, quiet machine)
	@$(BIN)/python -m proving.benchmarks

faults: setup ## every fault campaign, with the real daemon; writes the tables of docs/reliability.md (an hour)
	@$(BIN)/python -m proving.campaign

celery: setup ## the whole sample on Celery workers, one of them dying half-way (needs redis-server; some minutes)
	@$(BIN)/python -m proving.celery.campaign

format: setup ## put imports and layout right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## generate the tables in docs/ from the code
	@$(BIN)/python -m billing_assets_tests.docs_tables

clean: ## stop what runs and remove everything that was made
	@[ ! -x $(BIN)/billing ] || $(BIN)/billing down
	@[ ! -x $(BIN)/billing ] || BILLING_HOME=$(UTILITY_HOME) $(BIN)/billing down
	rm -rf $(VENV) .billing .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
