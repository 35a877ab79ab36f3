# What people run: `make run` shows the bench at work, `make test` checks everything.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN_FOLDER ?= runs/demo
JOBS ?= 2
# Cases of each scenario that `make test` runs; empty: all of them.
SAMPLE ?=
FUZZ_RUNS ?= 1000000
# Tests start many programs; compiling all of them anew takes a sixth of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run install test lint types contract unit scenarios bench test-gpio fuzz schema lock clean

help:
	@echo "make run        set up and run the demonstration suite on the emulated bench"
	@echo "make install    set up the environment in .venv only"
	@echo "make test       set up and run every check"
	@echo "make bench      measure, beside others on the same data"
	@echo "make fuzz       a million mutated frames and files through the codecs"
	@echo "make test-gpio  prove the GPIO driver against the kernel's gpio-sim (User-Mode Linux)"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" sh tests/setup/make_venv.sh $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,gpio]'
	@touch $(STAMP)

run: $(STAMP)
	@rm -rf $(RUN_FOLDER)
	$(BIN)/smgw-bench run scenarios --gateway all --jobs $(JOBS) --out $(RUN_FOLDER)

test: $(STAMP) lint types contract unit scenarios

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contract: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest tests -n $(JOBS)

scenarios: $(STAMP)
	$(BIN)/pytest scenarios -n $(JOBS) $(if $(SAMPLE),--bench-sample $(SAMPLE))

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks

fuzz: $(STAMP)
	@mkdir -p build/fuzz
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]' \
	  && $(BIN)/python -c 'import atheris' 2>/dev/null; then \
	  $(BIN)/python tests/fuzz/atheris_codecs.py -runs=$(FUZZ_RUNS) -seed=1 -max_len=1500 -timeout=10 \
	    -rss_limit_mb=1024 -artifact_prefix=build/fuzz/ -print_final_stats=1; \
	else \
	  echo "atheris cannot be installed here: the plain mutator runs instead"; \
	  $(BIN)/python tests/fuzz/million.py $(FUZZ_RUNS); \
	fi

test-gpio: $(STAMP)
	PYTHON=$(CURDIR)/$(BIN)/python sh tests/gpio/run_uml.sh

lock: $(STAMP)
	$(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ ' > constraints.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
