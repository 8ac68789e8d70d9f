# Every target sets up what it needs first, once: .venv holds the environment, and is renewed when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo lab test check lint format bench weights clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

setup: $(READY)  ## make .venv and install everything into it

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --editable '.[test]'
	@touch $@

demo: $(READY)  ## run the level experiment; figures go to out/demo
	$(BIN)/detector-workbench demo $(ARGS)

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS) notebooks

# The gates are one of the tests, so that they run beside the others and not before them.
test: $(READY)  ## run the gates, every test and every notebook
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

check: $(READY)  ## run the gates and all tests but notebooks, browser and trainings
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal -m 'not long'

lint: $(READY)  ## run the gates of .pre-commit-config.yaml alone
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
		PRE_COMMIT_HOME=$(CURDIR)/$(VENV)/pre-commit $(BIN)/pre-commit run --all-files --show-diff-on-failure; \
	else \
		echo "This is no git checkout, which pre-commit needs: the gates are left out."; \
	fi

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## measure speed, as ratios, and print the table
	$(BIN)/python benchmarks/run.py $(ARGS)

weights: $(READY)  ## train the demo detector anew (about 20 minutes on two cores)
	$(BIN)/python -m detectors.demo.train $(ARGS)

clean:  ## remove figures and caches; .venv and training runs stay
	rm -rf out build *.egg-info .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
