# A fresh clone needs git, make and a Python; deploy/environment.sh finds or fetches one that can serve, for .venv.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NETWORKS := $(foreach name,pnet rnet onet,model_repository/$(name)/1/model.pt)
PHOTO := tests/data/astronaut.png

.PHONY: help demo page test test-fast screenshots containers fuzz check bench bulk identify tune load saturate scaling soak bundle train-demo format env export clean
.DELETE_ON_ERROR:

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: export  ## find the face in a sample photo: environment, export, server, picture and JSON in demo/
	mkdir -p demo
	$(BIN)/faces serve --any-ports --quiet -- sh -ec ' \
		faces detect $(PHOTO) --save demo && \
		faces detect $(PHOTO) --json > demo/faces.json && \
		python -m json.tool demo/faces.json'
	@echo "written: demo/astronaut.png (annotated) and demo/faces.json"
	@echo "in a browser: make page"

page: export  ## serve, and open the page with a sample photo in a browser, until Ctrl-C
	$(BIN)/faces serve --any-ports --quiet --page --open sample

test: export test-fast  ## all tests, on a real Triton
	# Those with time limits and with servers have the machine to themselves.
	$(BIN)/python -m pytest --ignore tests/e2e -m slow --durations=10
	$(BIN)/python -m pytest tests/e2e --durations=20

test-fast: env  ## the tests that need no Triton and are quick: a minute and a half on two cores
	# A worker a core, so one thread each: more would wait for one another. A file stays whole: its fixtures are made once.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet --numprocesses auto --dist loadfile --ignore tests/e2e -m "not slow"

screenshots: export  ## the page's pictures in docs/images, made by its tests in Chromium
	TRITON_FACES_SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/e2e/page -k "with_faces or boxes_go"

containers: env  ## builds and runs the CPU's images with podman: the compose stack, TLS, pods of the chart; killed, stopped, replaced
	$(BIN)/python -m pytest tests/containers --durations=5 $(ARGS)

fuzz: export  ## bad input in bulk against one server (COUNT=10000); summary and failing requests in fuzz/
	PYTHONPATH=.:load_tests $(BIN)/python -m tests.e2e.fuzz --count $(or $(COUNT),10000) $(ARGS)

check: env  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python client/unasync.py --check
	$(BIN)/mypy
	# One by one: each is a module named `model`.
	for file in model_repository/*/1/model.py; do $(BIN)/mypy $$file || exit 1; done

bench: export  ## speed beside facenet-pytorch and mtcnn on this machine; tables, JSON and plot in bench/
	# With a GPU it is another one: see docs/gpu.md.
	if $(BIN)/python -c "from face_server.gpu import gpu_count; raise SystemExit(not gpu_count())"; then \
		PYTHONPATH=load_tests $(BIN)/python -m face_bench.gpu --out bench $(ARGS); \
	else PYTHONPATH=load_tests $(BIN)/python -m face_bench $(ARGS); fi

bulk: export  ## faces batch over 20,000 made pictures: its rate beside the server's, its memory; report and plot in bulk/
	PYTHONPATH=load_tests $(BIN)/python -m face_bench.bulk $(ARGS)

identify: env  ## a gallery of a million people: a search beside a bare matrix product, memory, four processes; in identify/
	PYTHONPATH=load_tests $(BIN)/python -m face_bench.galleries $(ARGS)

tune: export  ## the fastest setting for this machine, GPU or not: `faces serve --configuration tuned`; table in tune/
	PYTHONPATH=load_tests $(BIN)/python -m face_bench.tune $(ARGS)

load: export  ## a short load with locust on an embedded server; report, HTML, CSV and summary in load/
	PYTHONPATH=load_tests $(BIN)/python -m face_load load $(ARGS)

saturate: export  ## the highest rate that this machine sustains, and three times as much; report and plot in saturate/
	PYTHONPATH=load_tests $(BIN)/python -m face_load saturate $(ARGS)

scaling: env  ## a simulated day against the chart's rule for replicas (ARGS="--profile gpu"); report and plot in scaling/
	PYTHONPATH=load_tests $(BIN)/python -m face_scaling simulate $(ARGS)

soak: export  ## MINUTES (20) of mixed load: errors, restarts, slopes of memory and files; report and plot in soak/
	PYTHONPATH=load_tests $(BIN)/python -m face_load soak --minutes $(or $(MINUTES),20) $(ARGS)

bundle: export  ## everything for a machine without network: parts and install.sh in bundle/ (docs/airgap.md)
	$(BIN)/python deploy/bundle/pack.py $(ARGS)

format: env  ## put the code in its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

env: $(INSTALLED)  ## the environment in .venv

export: $(NETWORKS)  ## PNet, RNet and ONet as TorchScript in model_repository/

# One run writes all three.
$(NETWORKS): $(INSTALLED) $(wildcard export/face_export/*.py export/face_export/readers/*.py) $(addprefix export/face_repository/,weights.py configurations.py tuned.py)
	$(BIN)/faces export --facenet none
	@touch $(NETWORKS)

$(INSTALLED): pyproject.toml client/pyproject.toml gallery/pyproject.toml gateway/pyproject.toml tools/pyproject.toml
	@deploy/environment.sh $(VENV) $(PYTHON)
	@echo "Installing PyTorch, Triton and the rest: some gigabytes at the first time"
	$(BIN)/python -m pip install --editable ./client --editable ./gallery --editable './tools[rich]' --editable ./gateway --editable '.[dev]'
	@touch $@

train-demo: env  ## train on a small generated set, export, serve and measure: everything in train-demo/, in minutes
	OMP_NUM_THREADS=$(or $(OMP_NUM_THREADS),1) $(BIN)/python -m face_training.rehearsal

clean:  ## remove the environments, the exported networks, what the other targets wrote
	rm -rf $(VENV) .venv-uv .venv-peers .venv-perf demo bench bulk identify gpu tune bundle build/bundle load saturate scaling soak fuzz train-demo model_repository/*/1/model.pt model_repository/*/1/export.json \
		model_repository/*/configs model_repository/mtcnn/tuned.json model_repository/*/[2-9] model_repository/*/[1-9][0-9]*
