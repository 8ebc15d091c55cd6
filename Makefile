# make run    the hub on http://localhost:8501, demo data included
# make test   everything CI runs        make check   lint, types and the fast tests
# make bench  ours against the peers    make soak    long loads and simulations
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
PORT   ?= 8501
HOME_DIR ?= .
JOBS   ?= 2
ifeq (, $(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif

.PHONY: run test check bench soak install clean
.DEFAULT_GOAL := run

$(BIN)/.run: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

$(BIN)/.dev: requirements-dev.txt $(BIN)/.run
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@

$(BIN)/.bench: requirements-bench.txt $(BIN)/.dev
	$(BIN)/python -m pip install -q -r requirements-bench.txt
	@touch $@

install: $(BIN)/.run

run: $(BIN)/.run
	$(BIN)/python -m mlcore --home $(HOME_DIR) demo --if-empty --in-background
	OPENRANGE_HOME=$(HOME_DIR) $(BIN)/streamlit run server.py --server.port $(PORT)

check: $(BIN)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) -q -m "not slow and not browser and not soak"

test: $(BIN)/.dev
	sh scripts/browser.sh
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) -q -m "not soak" --durations=15

soak: $(BIN)/.dev
	$(BIN)/python -m pytest -q -m soak --timeout 7200 -s

bench: $(BIN)/.bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache
