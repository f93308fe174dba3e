# scintiflow: `make demo` shows it, `make test` proves it, `make run` keeps it up.
PYTHON ?= python3
DEBIAN_PYTHON ?= /usr/bin/python3
BIN := .venv/bin
EXTRAS ?= cpu,dev
N ?= 50
J ?= 2
PROTOC := $(BIN)/python -m grpc_tools.protoc --proto_path proto
QUICK ?= build/models-quick
LONG := $(addprefix tests/unit/scintilab/,evaluate generator int8 shortcuts studies)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
ENGINE ?= docker
IMAGES ?= receiver keeper router sender probe classifier synthesizer classifier-gpu synthesizer-gpu
OVERLAYS := single-node cpu gpu
CONTRACTS := $(wildcard proto/scintiflow/contracts/v1/*.proto)

.DEFAULT_GOAL := help
.PHONY: help install proto check test drill faults workshop gpu-choices rivals demo run lab models models-quick generator evaluate int8 studies monitoring dashboards-preview conformance images sbom k8s-policy k8s-test clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

install: .venv/installed ## set up .venv with everything pinned

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

proto: install ## regenerate contracts/v1 from proto/
	$(PROTOC) --python_out services --pyi_out services $(CONTRACTS)

check: install ## lint, types, layers, and contracts equal to proto/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	rm -rf build/proto && mkdir -p build/proto
	$(PROTOC) --python_out build/proto --pyi_out build/proto $(CONTRACTS)
	diff --recursive --exclude __init__.py --exclude __pycache__ build/proto/scintiflow/contracts services/scintiflow/contracts

test: install lab ## run every test that is not a drill or of the workshop's long ones
	$(BIN)/python -m pytest $(addprefix --ignore ,$(LONG)) --numprocesses 2 --dist loadfile --no-loadscope-reorder

drill: install ## kill everything N times (50) on J stacks (2) while studies stream in; SEED=... repeats one
	$(BIN)/python -m pytest tests/drills/test_kills.py --kills $(N) --stacks $(J) $(if $(SEED),--seed $(SEED))

faults: install ## every other slow drill: disk, Redis, clock, neighbours, a PACS that echoes, restarts, bursts, planted bugs
	$(BIN)/python -m pytest tests/drills --ignore tests/drills/test_kills.py --numprocesses 2 --dist loadfile

workshop: install lab ## the workshop's long tests: models from seeds twice, shortcuts on the phantom, evaluation, generator, studies
	$(BIN)/python -m pytest tests/workshop $(LONG) --numprocesses 2 --dist loadfile

gpu-choices: .venv-gpu/installed ## what is decided about a GPU before there is one, with the real onnxruntime-gpu
	.venv-gpu/bin/python -m pytest tests/unit/inference/test_gpu.py tests/unit/inference/test_half.py

.venv-gpu/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-gpu
	.venv-gpu/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . onnxruntime-gpu onnx pytest hypothesis
	touch $@

rivals: .venv-rivals/installed .venv-triton/installed ## what benchmarks of servers compare ours with, in environments of its own

# The engine, and what the modules around it import; ours is found where it is.
ENGINE_PINS = $$(grep -E '^(openvino|pydantic-settings|pydicom|structlog)==' constraints.txt)

.venv-rivals/installed: benchmarks/rivals/requirements.txt constraints.txt
	$(PYTHON) -m venv .venv-rivals
	.venv-rivals/bin/python -m pip install --quiet --disable-pip-version-check --requirement $< $(ENGINE_PINS)
	.venv-rivals/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv-triton/installed: benchmarks/rivals/requirements-triton.txt constraints.txt
	$(DEBIAN_PYTHON) -m venv .venv-triton
	.venv-triton/bin/python -m pip install --quiet --disable-pip-version-check --requirement $< $(ENGINE_PINS)
	.venv-triton/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: install ## send example scans round the whole line and look at the results
	$(BIN)/scintiflow demo

run: install ## stay up: the same processes as production
	$(BIN)/scintiflow up

lab: .venv/lab ## add what training needs (torch)

.venv/lab: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lab]'
	touch $@

models: lab ## make both classifiers from seeds again: patients, training, export; goes on where it was stopped
	for model in metastasis cardiac; do \
	  $(BIN)/python -m scintilab.$$model train && \
	  $(BIN)/python -m scintilab.$$model examples && \
	  $(BIN)/python -m scintilab.$$model export || exit 1; \
	done

models-quick: lab ## the same in minutes, into QUICK: numbers that mean nothing, but are always the same
	for model in metastasis cardiac; do \
	  $(BIN)/python -m scintilab.$$model train --patients $(QUICK)/patients --work $(QUICK)/trained/$$model --share 0.02 \
	    --epochs 1 --steps 4 $$([ $$model = cardiac ] && echo --more-epochs 1 || echo --cycles 1 --piece-epochs 1 --piece-steps 2) && \
	  $(BIN)/python -m scintilab.$$model examples --out $(QUICK)/$$model && \
	  $(BIN)/python -m scintilab.$$model export --work $(QUICK)/trained/$$model --out $(QUICK)/$$model || exit 1; \
	done
	cat $(QUICK)/trained/*/*/validation.json

generator: lab ## make the generator of synthetic scans from seeds: patients, tokeniser, flow, export
	$(BIN)/python -m scintilab.generator train
	$(BIN)/python -m scintilab.generator export

evaluate: lab ## judge the shipped models on five sites: evaluation.json, CARD.md, and pages in build/evaluate
	$(BIN)/python -m scintilab.evaluate metastasis
	$(BIN)/python -m scintilab.evaluate cardiac

int8: lab ## make the classifiers' graphs in int8, judge them, and keep those that tell the same
	for model in metastasis cardiac; do $(BIN)/python -m scintilab.int8 $$model || exit 1; done

studies: lab ## judge the shipped generator: likeness and labels, copies, augmentation; goes on where it was stopped
	for study in quality privacy augmentation; do $(BIN)/python -m scintilab.studies $$study || exit 1; done

monitoring: install ## write what k8s/monitoring has from code: METRICS.md and the dashboards
	$(BIN)/python -m k8s.monitoring

dashboards-preview: install ## draw the dashboards of an installation at work, without Grafana, into build/dashboards
	$(BIN)/python -m tests.monitored

conformance: install ## write docs/conformance.md, the DICOM conformance statement of the default settings
	$(BIN)/scintiflow conformance --config /dev/null >docs/conformance.md

images: ## build an image for each process with ENGINE (docker, or podman), and print their sizes
	for image in $(IMAGES); do $(ENGINE) build --target $$image --tag scintiflow/$$image:$(VERSION) . || exit 1; done
	$(ENGINE) images --filter 'reference=*scintiflow/*'

sbom: .venv-sbom/installed ## list what an image holds, as CycloneDX: build/sbom.cpu.json
	rm -rf build/runtime && $(PYTHON) -m venv build/runtime
	build/runtime/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt '.[cpu,tracing]'
	build/runtime/bin/python -m pip uninstall --quiet --yes pip setuptools
	.venv-sbom/bin/cyclonedx-py environment build/runtime --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --output-file build/sbom.cpu.json
	rm -rf build/runtime

k8s-policy: .venv-checkov/installed ## hold Dockerfile and overlays to checkov's policies; k8s/checkov.yaml says which not, and why
	mkdir -p build/traced
	printf '%s\n' 'namespace: scintiflow' 'resources: [../../k8s/overlays/single-node]' \
	  'components: [../../k8s/components/tracing]' >build/traced/kustomization.yaml
	.venv-checkov/bin/checkov --config-file k8s/checkov.yaml --file Dockerfile
	command -v kubectl >/dev/null || { echo "Policies of overlays not checked: kubectl is not installed."; \
	  [ "$$SCINTIFLOW_REQUIRE_PEERS" != 1 ] || [ "$$SCINTIFLOW_WITHOUT_KUBECTL" = 1 ]; exit; }; \
	for overlay in $(addprefix k8s/overlays/,$(OVERLAYS)) build/traced; do \
	  rendered=build/$$(basename $$overlay).yaml; \
	  kubectl kustomize $$overlay >$$rendered && \
	  .venv-checkov/bin/checkov --config-file k8s/checkov.yaml --file $$rendered || exit 1; \
	done

.venv-%/installed: .ci/%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement .ci/$*.txt
	touch $@

k8s-test: install ## play the single-node overlay with podman, send studies, restart pods; STAND_IN=gpu: the -gpu images too
	tests/pods/stand-in $(STAND_IN)
	$(BIN)/python -m pytest tests/pods --capture no

clean: ## remove what was set up and what was made
	rm -rf .venv .venv-* var demo build
