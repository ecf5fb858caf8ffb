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
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: ## from nothing to an answer: cluster, images, chart, a tiny Qwen, three prompts (root)
	@$(BIN)/python -m e2e.demo

.PHONY: test
test: check unit docs e2e ## everything that CI runs (root)

.PHONY: check
check: ## lint, types, layers, drift of generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=operator/src $(BIN)/mypy
	MYPYPATH=operator/src:operator $(BIN)/mypy operator/tests/unit operator/tests/corpus operator/tests/integration
	$(BIN)/lint-imports --no-cache
	$(BIN)/python operator/generate.py --check
	$(BIN)/python -m monitoring.generate --check
	$(BIN)/python -m charts.generate --check
	$(BIN)/python -m docsite.generate --check

.PHONY: unit
unit: ## tests that need nothing but Python
	$(PYTEST) operator/tests/unit operator/tests/corpus operator/tests/backend/unit e2e/tiny_qwen e2e/bench_scale e2e/compat benchmarks images e2e/cluster monitoring charts docsite e2e/permissions -m "not cluster and not triton and not images and not prometheus and not browser"

.PHONY: e2e
e2e: ## tests on the real parts: API server, kubelet, Triton, vLLM (root)
	$(BIN)/python -m e2e.cluster build
	$(BIN)/python -m images build operator triton-cpu
	$(BIN)/python -m e2e.cluster down
	$(PYTEST) images charts/tests docsite e2e/cluster e2e/page monitoring -m "images or cluster or prometheus or browser"
	$(BIN)/python -m e2e.cluster up --gpus 2
	$(PYTEST) e2e/suites
	$(PYTEST) operator/tests/integration
	$(PYTEST) e2e/permissions -m cluster
	$(PYTEST) operator/tests/backend/real e2e/triton
	$(BIN)/python -m e2e.cluster down

.PHONY: bench-scale
bench-scale: ## N=1000 resources and IDLE=300 s against bars, table into docs/performance.md (root)
	$(BIN)/python -m e2e.cluster down
	$(BIN)/python -m e2e.cluster up --no-node --fake-nodes 1
	$(BIN)/python -m e2e.bench_scale -n $(or $(N),1000) --idle $(or $(IDLE),300) --write; \
	missed=$$?; $(BIN)/python -m e2e.cluster down; exit $$missed

.PHONY: train-tiny
train-tiny: ## train the tiny Qwen that talks anew (minutes), examine it, replace its committed weights
	$$(e2e/python-environment.sh train)/bin/python -m e2e.tiny_qwen.school

.PHONY: bench-serving
bench-serving: ## the doors side by side on a CPU: WHAT=synthetic at RATE=20 a stream, real, recipe (root)
	$(BIN)/python -m benchmarks.serving run benchmarks/results/cpu-$(BENCH).json --from-image $(BENCH_$(or $(WHAT),synthetic))
	$(BIN)/python -m benchmarks.serving report benchmarks/results/cpu-$(BENCH).json
BENCH = $(if $(filter-out synthetic,$(WHAT)),$(WHAT),synthetic-$(or $(RATE),20))
BENCH_CPU = --shape tiny --engine '{"dtype": "float32", "enforce_eager": true, "max_model_len": 1024}'
BENCH_synthetic = --rate $(or $(RATE),20) --turns $(or $(TURNS),1) --only vllm,triton $(if $(STREAMS),--streams $(STREAMS))
BENCH_real = $(BENCH_CPU) --streams $(or $(STREAMS),1,4,16,32) --tokens 128
BENCH_recipe = $(BENCH_CPU) --recipe --tokens 128 --only vllm,triton,transformers --doors "Triton HTTP,Triton gRPC"

.PHONY: compat
compat: ## the backend's tests with VLLM=0.9.2 (all known if left out), table into docs/compatibility.md (root)
	$(BIN)/python -m e2e.compat read
	$(BIN)/python -m e2e.compat run $(VLLM); status=$$?; $(BIN)/python operator/generate.py; exit $$status

.PHONY: generate
generate: ## rewrite what is made from the Python types
	$(BIN)/python operator/generate.py
	$(BIN)/python -m monitoring.generate
	$(BIN)/python -m charts.generate
	$(BIN)/python -m docsite.generate

.PHONY: docs
docs: ## build the documentation into site/, and look at its links
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $$(e2e/python-environment.sh docs)/bin/mkdocs build --strict --quiet
	$(BIN)/python -m docsite.site site

.PHONY: page-preview
page-preview: ## draw the fleet page into docs/images, in a real Chromium (root, once)
	$(BIN)/python -m e2e.page

.PHONY: dashboards-preview
dashboards-preview: ## draw the dashboards into docs/images, from a real Prometheus (root, once)
	$(BIN)/python -m monitoring.preview

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
cluster-env: ## print shell exports for its kubectl and helm, and this checkout's qwenctl
	@$(BIN)/python -m e2e.cluster env
	@echo 'qwenctl() { PYTHONPATH="$(CURDIR)/operator/src" "$(BIN)/python" -m qwenctl "$$@"; }'

.PHONY: cluster-down
cluster-down: ## stop it and remove all that it made (root)
	$(BIN)/python -m e2e.cluster down

.PHONY: lock
lock: ## compile requirements/*.in anew, with hashes
	for name in uv operator dev train sbom docs; do \
	  $(BIN)/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header requirements/$$name.in -o requirements/$$name.txt; done
	$(BIN)/python -m e2e.compat lock
	$(BIN)/uv pip compile -q --python-version 3.12 --python-platform x86_64-manylinux_2_35 --override requirements/gpu-overrides.txt --generate-hashes --no-emit-index-url --no-header requirements/gpu.in -o requirements/gpu.txt
