# Everything here calls the package; `python -m svhn --help` explains its commands.
PYTHON ?= python3
BIN := .venv/bin
MODEL ?=
N ?= 250000
SEED ?= 2
BENCH ?= drawing
ARGS ?=
DATA ?=

.PHONY: run test train digits report grade bench publish verify course
run: .venv/installed
	$(BIN)/python -m svhn run

test: .venv/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile

train: .venv/installed
	$(BIN)/python -m svhn train $(addprefix --model ,$(MODEL))

digits: .venv/installed
	$(BIN)/python -m svhn digits --count $(N) --seed $(SEED)

report: .venv/installed
	$(BIN)/python -m svhn report

grade: .venv/installed
	$(BIN)/python -m svhn grade . tests/handins

bench: .venv/installed
	$(BIN)/python benchmarks/$(BENCH).py $(ARGS)

publish: .venv/installed
	$(BIN)/python -m svhn publish

verify: .venv/installed
	$(BIN)/python -m svhn verify $(addprefix --data ,$(DATA))

course: .venv/installed
	$(BIN)/python -m svhn course

# Installs once, and again only when requirements.txt changes.
.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + "; choose one with: make PYTHON=python3.13")'
	@echo "installing the requirements into .venv (some minutes, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -r requirements.txt
	@touch $@
