# Every target sets up what it needs by itself, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DATA ?= velatura-data

export DO_NOT_TRACK = true
# where it is set and nothing is compiled beforehand, each process compiles torch and all else again: three times slower
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-s3 test-postgres bench-ray lint check bench bench-demo bench-kills bench-captions bench-augment bench-curation bench-ingest-kills fuzz bench-training bench-training-kills bench-gpu bench-orchestration scenarios bench-verdict pocket clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## the virtual environment with the whole tested set

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Velatura needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraints constraints.txt --editable '.[demo,dev]'
	@touch $@

demo: $(INSTALLED) ## the main job on real pictures: from a folder to a fine-tuned model and its report
	@$(BIN)/python -m scripts.demo $(DATA)/demo/pictures
	@$(BIN)/velatura run recipes/openmoji.yaml

test: $(INSTALLED) ## all tests; no GPU, no network
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-s3: $(INSTALLED) ## the store's tests on a bucket, where they are on a folder otherwise
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.s3 $(BIN)/python -m pytest tests/store

test-postgres: $(INSTALLED) ## a run with both servers on PostgreSQL, where that is installed
	OMP_NUM_THREADS=1 VELATURA_TEST_POSTGRES=1 $(BIN)/python -m pytest -rs tests/flows/test_postgres.py

bench-ray: $(INSTALLED) ## the same recipe on Ray, a node killed in each stage: the same manifest? and what Ray costs
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.ray_cluster

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test ## what CI runs: lint, types, tests

bench: bench-demo bench-kills bench-captions bench-augment bench-curation bench-ingest-kills fuzz bench-training bench-training-kills bench-ray bench-gpu bench-orchestration scenarios bench-verdict ## every figure of docs/benchmarks.md beside its goal

bench-demo: $(INSTALLED) ## what the demo takes and learns, and what overfitting looks like beside it
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.demo

bench-augment: $(INSTALLED) ## what transforms add to albumentations, and what a contact sheet of 1,000 takes
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.augment

bench-kills: $(INSTALLED) ## kill -9 at random moments of the demo: does it end the same?
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.kills

bench-curation: $(INSTALLED) ## what reading, searching and ingesting cost; PEERS=PYTHON times other tools too
	$(BIN)/python -m benchmarks.curation $(if $(PEERS),--peers $(PEERS))

bench-ingest-kills: $(INSTALLED) ## kill -9 at 30 random moments of an ingest, and four ingests at once
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.ingest_kills

fuzz: $(INSTALLED) ## 200,000 damaged files: does one end, hang or leave the run?
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.fuzz

bench-captions: $(INSTALLED) ## how right CLIP's tags are on OpenMoji, beside simpler rules, and what ranking costs
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.captions

bench-training: $(INSTALLED) ## what the training loop costs over a bare one, and how soon the first step comes
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.training

bench-training-kills: $(INSTALLED) ## training killed with -9, stopped, out of room: 90 times; does it end with the same bits?
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.training_kills

bench-verdict: $(INSTALLED) ## is what is said of a run true? 80 runs, an hour and a half; TOLD=1 judges what is recorded
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.verdict $(if $(TOLD),--told)

bench-gpu: $(INSTALLED) ## training steps of SD 1.5's and SDXL's shape, where there is a GPU
	$(BIN)/python -m benchmarks.gpu

bench-orchestration: $(INSTALLED) ## a run that changes nothing, events, 1,000 runs, what Prefect and MLflow cost
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.orchestration

scenarios: $(INSTALLED) ## velatura up through a bad day: servers down, a worker killed, changes during a run
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.scenarios

pocket: $(INSTALLED) ## train the pocket base again from public packages (hours on a CPU)
	$(BIN)/python -m scripts.pocket

clean: ## remove what was built here; never pictures, stores or runs
	rm -rf $(VENV) .mypy_cache .ruff_cache build/cache
