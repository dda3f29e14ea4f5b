# Every target makes its own environment and installs what it needs, so each works in a fresh
# clone:  make demo | make demo DATA=<folder> | make serve | make test | make test-long | make lint |
# make docs | make bench | make screenshots | make fuzz
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
DATA ?=
ARGS ?=
ISSUE_FORMS := $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

# A line every five seconds: what is installed takes minutes.
BEAT := @sh -c 'label=$$1; shift; echo "$$label ..."; n=0; \
	while sleep 5; do n=$$((n + 5)); echo "$$label: $$n s"; done & beat=$$!; \
	trap "kill $$beat" EXIT; trap "exit 130" INT TERM; "$$@"' --

.PHONY: demo serve screenshots test test-long fuzz lint docs bench clean
.NOTPARALLEL:

demo: $(VENV)/.with-demo
	$(BIN)/python -m sklearn_dsh.demo $(if $(DATA),--data "$(DATA)") $(ARGS)

# A page to draw on, on synthetic data: ARGS="MODEL GALLERY" for your own.
serve: $(VENV)/.with-demo
	$(BIN)/sklearn-dsh serve $(ARGS)

# Pictures of that page; needs a Chromium of the system's.
screenshots: $(VENV)/.with-test
	$(BIN)/python docs/figures/page.py build/screenshots

# SCIPY_ARRAY_API: without it scikit-learn's common checks skip some of theirs. Two processes, a file
# of tests at a time, each with a thread of its own: threads that wait for each other's cores are slow.
test: $(VENV)/.with-test
	SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# What takes more than a few seconds.
test-long: $(VENV)/.with-test
	SCIPY_ARRAY_API=1 $(BIN)/python -m pytest -m slow $(ARGS)

# Damaged files by the thousand, for half an hour: ARGS="--inputs 100 split.csv" for some of it.
fuzz: $(VENV)/.with-test
	PYTHONPATH=tests $(BIN)/python -m fuzzing $(ARGS)

lint: $(VENV)/.linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/pylint --disable=all --enable=duplicate-code sklearn_dsh
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(ISSUE_FORMS)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

docs: $(VENV)/.with-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.with-benchmarks
	$(BIN)/python benchmarks/retrieval_speed.py --quick
	$(BIN)/python benchmarks/search_limits.py
	$(BIN)/python benchmarks/code_updates.py
	$(if $(DATA),$(BIN)/python benchmarks/hashing_quality.py --data "$(DATA)")

clean:
	rm -rf build dist docs/_build docs/auto_examples docs/generated .pytest_cache .ruff_cache

# The stamps: a tool or an extra is installed again only after its versions were edited.
$(VENV)/bin/python:
	$(BEAT) "Making $(VENV)" $(PYTHON) -m venv "$(VENV)"

$(VENV)/.linters: constraints.txt | $(VENV)/bin/python
	$(BEAT) "Installing the linters" $(PIP) ruff codespell check-jsonschema pylint
	touch "$@"

# torch first and by itself: which build it is (CPU, CUDA) is the installer's choice.
$(VENV)/.torch: constraints.txt | $(VENV)/bin/python
	$(BEAT) "Installing torch" $(PIP) torch
	touch "$@"

$(VENV)/.with-%: pyproject.toml $(VENV)/.torch
	$(BEAT) "Installing what $* needs" $(PIP) --editable ".[$*]"
	touch "$@"
