# `make demo` and `make test` need nothing but Python; both set up a virtual environment in .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test long-tests chaos fuzz bench reference docs lint types ffmpeg chromium postgres clean

demo: .venv/ready
	$(BIN)/randsearch demo

test: .venv/ready
	@command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || \
	  echo "ffmpeg is missing: tests of MUSDB18 stem files will be skipped; 'make ffmpeg' installs it on Debian."
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
	  echo "Chromium is missing: tests of the report in a browser will be skipped; 'make chromium' installs it on Debian."
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  echo "PostgreSQL is missing: tests of studies in it will be skipped; 'make postgres' installs it on Debian."
	$(BIN)/python -m pytest -n auto --dist loadfile

long-tests: .venv/ready
	$(BIN)/python -m pytest -n auto -m long

chaos: .venv/ready
	$(BIN)/python -m pytest -m 'long or not long' tests/running/test_chaos.py

fuzz: .venv/ready
	$(BIN)/python -m pytest -n auto --hypothesis-profile fuzz --timeout 0 tests/test_fuzz.py

bench: .venv/ready
	$(BIN)/python tests/bench results/reference

reference: .venv/ready
	$(BIN)/python tests/bench/reference

docs: .venv/ready
	$(BIN)/pdoc --docformat google --output-directory build/docs randsearch

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: .venv/ready
	$(BIN)/mypy

ffmpeg:
	apt-get update -qq && apt-get install -y -qq ffmpeg

chromium:
	apt-get update -qq && apt-get install -y -qq chromium chromium-driver

postgres:
	apt-get update -qq && apt-get install -y -qq postgresql

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,cluster,dashboard,parquet,postgres,tensorboard]'
	touch $@

clean:
	rm -rf .venv build .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
