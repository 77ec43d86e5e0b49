# Everything here calls the package; `python -m svhn --help` explains its commands.
PYTHON ?= python3
BIN := .venv/bin
MODEL ?=
N ?= 250000
SEED ?= 2
BENCH ?= drawing
ARGS ?=
REQUIREMENTS := requirements.txt requirements-dev.txt
CONSTRAINTS := constraints.txt
FITS := import sys; fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
# Where a Python is asked for, an environment of another version is none.
ifneq ($(origin PYTHON),file)
ASKED := $(shell $(PYTHON) -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null || echo none)
endif
IS_OWN := $(FITS); fits &= "$(ASKED)" in ("", "%d %d" % sys.version_info[:2]); \
    import importlib.util, os; made = open(".venv/pyvenv.cfg").read().splitlines(); \
    own = any(line.startswith("command = ") and line.endswith(" " + os.getcwd() + "/.venv") for line in made); \
    print("yes" if fits and own and importlib.util.find_spec("pip") else "no")
DATA ?=

.PHONY: run test train digits report grade samples bench publish verify course
run: .venv/installed
	$(BIN)/python -m svhn run

test: .venv/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile

train: .venv/installed
	$(BIN)/python -m svhn train $(addprefix --model ,$(MODEL))

digits: .venv/installed
	$(BIN)/python -m svhn digits --count $(N) --seed $(SEED)

report: .venv/installed
	$(BIN)/python -m svhn report

grade: .venv/installed
	$(BIN)/python -m svhn grade . tests/handins

samples: .venv/installed
	$(BIN)/python -m svhn grade tests/handins --data drawn --out output/samples

bench: .venv/installed
	$(BIN)/python benchmarks/$(BENCH).py $(ARGS)

publish: .venv/installed
	$(BIN)/python -m svhn publish

verify: .venv/installed
	$(BIN)/python -m svhn verify $(addprefix --data ,$(DATA))

course: .venv/installed
	$(BIN)/python -m svhn course

# Installs once, and again where what is to be installed changed. An environment is made anew where it is not this very
# folder's own (in a copied or moved project it would change another's), or where its Python does not run or fit.
OWN := $(shell .venv/bin/python -c '$(IS_OWN)' 2>/dev/null)
ifneq ($(OWN),yes)
.PHONY: .venv/installed
endif

.venv/installed: $(wildcard $(REQUIREMENTS) $(CONSTRAINTS) pyproject.toml)
ifneq ($(OWN),yes)
	@$(PYTHON) -c '$(FITS); sys.exit(not fits and "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + "; choose one with: make PYTHON=python3.13")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
endif
	@echo "installing the requirements into .venv (some minutes, once)"
	$(BIN)/python -m pip install --disable-pip-version-check \
		$(addprefix -r ,$(wildcard $(REQUIREMENTS))) $(addprefix -c ,$(wildcard $(CONSTRAINTS)))
	test ! -e pyproject.toml || $(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	@touch $@
