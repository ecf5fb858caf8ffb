# Every command of this repository. What they build lies outside the checkout, in
# $XDG_CACHE_HOME/qwen-operator (by default ~/.cache/qwen-operator), named by its content.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PYTHONPATH := operator/src
export PYTHONDONTWRITEBYTECODE := 1

# The environment's bin folder; made on first use.
BIN = $(or $(ENVIRONMENT),$(eval ENVIRONMENT := $(shell e2e/python-environment.sh))$(or $(ENVIRONMENT),$(error no Python environment)))/bin
PYTEST = $(BIN)/python -m pytest

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: ## from nothing to an answer: cluster, images, chart, a tiny Qwen, three prompts (root)
	@$(BIN)/python -m e2e.demo

.PHONY: test
test: check unit e2e ## everything that CI runs (root)

.PHONY: check
check: ## lint, types, layers, drift of generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=operator/src $(BIN)/mypy
	MYPYPATH=operator/src:operator $(BIN)/mypy operator/tests/unit operator/tests/corpus operator/tests/integration
	$(BIN)/lint-imports --no-cache
	$(BIN)/python operator/generate.py --check

.PHONY: unit
unit: ## tests that need nothing but Python
	$(PYTEST) operator/tests/unit operator/tests/corpus operator/tests/backend/unit e2e/tiny_qwen e2e/bench_scale images e2e/cluster -m "not cluster and not triton and not images"

.PHONY: e2e
e2e: ## tests on the real parts: API server, kubelet, Triton, vLLM (root)
	$(BIN)/python -m images build operator triton-cpu
	$(BIN)/python -m e2e.cluster down
	$(PYTEST) images charts/tests e2e/cluster -m "images or cluster"
	$(BIN)/python -m e2e.cluster up --gpus 2
	$(PYTEST) e2e/suites
	$(PYTEST) operator/tests/integration
	$(PYTEST) operator/tests/backend/real
	$(BIN)/python -m e2e.cluster down

.PHONY: bench-scale
bench-scale: ## N=1000 resources and IDLE=300 s against bars, table into docs/performance.md (root)
	$(BIN)/python -m e2e.cluster down
	$(BIN)/python -m e2e.cluster up --fake-nodes 1
	$(BIN)/python -m e2e.bench_scale -n $(or $(N),1000) --idle $(or $(IDLE),300) --write
	$(BIN)/python -m e2e.cluster down

.PHONY: generate
generate: ## rewrite what is made from the Python types
	$(BIN)/python operator/generate.py

.PHONY: format
format: ## let ruff format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: images
images: ## build the operator's and the CPU model server's image (root)
	$(BIN)/python -m images build operator triton-cpu

.PHONY: cluster-up
cluster-up: ## start the embedded cluster (root)
	$(BIN)/python -m e2e.cluster up

.PHONY: cluster-env
cluster-env: ## print shell exports for its kubectl and helm
	@$(BIN)/python -m e2e.cluster env

.PHONY: cluster-down
cluster-down: ## stop it and remove all that it made (root)
	$(BIN)/python -m e2e.cluster down

.PHONY: lock
lock: ## compile requirements/*.in anew, with hashes
	for name in uv operator dev; do \
	  $(BIN)/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header requirements/$$name.in -o requirements/$$name.txt; done
