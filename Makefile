# A fresh clone needs Python 3.11 or 3.12, git and make; the rest is installed into .venv.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NETWORKS := $(foreach name,pnet rnet onet,model_repository/$(name)/1/model.pt)
PHOTO := tests/data/astronaut.png

# The first Python that the embedded server runs on.
PYTHON ?= $(shell for p in python3 python3.11 python3.12; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)

.PHONY: help demo test check bench format env export clean
.DELETE_ON_ERROR:

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: export  ## find the face in a sample photo: environment, export, server, picture and JSON in demo/
	mkdir -p demo
	$(BIN)/faces serve --any-ports --quiet -- sh -ec ' \
		faces detect $(PHOTO) --save demo && \
		faces detect $(PHOTO) --json > demo/faces.json && \
		python -m json.tool demo/faces.json'
	@echo "written: demo/astronaut.png (annotated) and demo/faces.json"

test: export  ## all tests, on a real Triton
	$(BIN)/python -m pytest

check: env  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: export  ## speed beside facenet-pytorch and mtcnn on this machine; tables, JSON and plot in bench/
	PYTHONPATH=load_tests $(BIN)/python -m face_bench $(ARGS)

format: env  ## put the code in its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

env: $(INSTALLED)  ## the environment in .venv

export: $(NETWORKS)  ## PNet, RNet and ONet as TorchScript in model_repository/

# One run writes all three.
$(NETWORKS): $(INSTALLED) $(wildcard export/face_export/*.py export/face_export/readers/*.py) server/face_server/stored_weights.py
	$(BIN)/faces export --facenet none
	@touch $(NETWORKS)

$(INSTALLED): pyproject.toml client/pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; set PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --editable './client[cli]' --editable '.[dev]'
	@touch $@

clean:  ## remove the environments, the exported networks, what demo and bench wrote
	rm -rf $(VENV) .venv-peers demo bench model_repository/*/1/model.pt model_repository/*/1/export.json
