# Each target installs what it needs in .venv, with the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Plain pip on Linux fetches torch's CUDA build (gigabytes). To fetch the CPU build instead, name PyTorch's CPU wheel
# index, as its "Get started" page gives it for Linux, pip, CPU:  make demo TORCH_INDEX=<that address>
TORCH_INDEX ?=
PIP_FLAGS := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
EXTRAS ?= dev,dask,docs,otter

.PHONY: help demo test sweep versions lint build docs clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV), once: this takes some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) -c constraints.txt -e '.[$(EXTRAS)]'
	$(BIN)/python -m autograder.author.fetch  # data that homeworks declare and the repository does not hold
	@touch $@

demo: $(BIN)/.installed ## Grade the example class and write the report to build/demo
	$(BIN)/python -m tests.demo build/demo/class
	$(BIN)/autograder grade build/demo/class -o build/demo/graded --seed demo
	$(BIN)/python -m tests.demo_people build/demo/graded
	$(BIN)/autograder grade build/demo/class -o build/demo/graded --seed demo
	@echo "Open the class report in a browser: build/demo/graded/report.html"

test: $(BIN)/.installed ## Run all tests
	$(BIN)/python -m pytest -n 3 --dist loadgroup  # on two cores, too: many tests wait

sweep: $(BIN)/.installed ## Run the long tests: galleries in other representations and under other seeds
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m sweep

versions: $(BIN)/.installed ## Test the galleries and grade the example class under Python 3.11, 3.12 and 3.13, as far as installed
	$(BIN)/python -m tests.versions $(VERSIONS)

lint: $(BIN)/.installed ## Check style, types, words, and that generated files are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --exclude tests/gallery --exclude docs .
	$(BIN)/mypy
	$(BIN)/python -m tests.words
	$(BIN)/autograder build --check

build: $(BIN)/.installed ## Build the student notebooks and the generated pages
	$(BIN)/autograder build

docs: $(BIN)/.installed ## Build the handbook as a website in build/docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs
	@echo "Open build/docs/index.html in a browser."

clean: ## Remove the files of the other targets, including .venv
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
