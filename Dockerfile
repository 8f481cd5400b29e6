# Six images: exporter and cpu hold the embedded server's Python environment, batch that and Ray, triton is NVIDIA's server
# with what our Python models import, page is the page and the REST API, load is locust. None holds models: the model repository is mounted at /models.

# Docker's own Python is built with --enable-shared: the stub of the embedded server's Python backend links libpython.
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm
# 25.07 closed remote shared-memory advisories, 26.07 a crash under concurrent requests between models.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.08-py3


FROM ${PYTHON_IMAGE} AS wheels
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY client client
COPY gallery gallery
COPY tools tools
COPY gateway gateway
COPY cascade cascade
COPY export export
COPY model_repository model_repository
COPY server server
COPY training training
COPY batch batch
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels ./client ./gallery ./tools . \
    && pip wheel --no-cache-dir --no-deps --wheel-dir /page ./gateway


# What is not ours, by name. The date: builders compare files by it too, and a layer shall change with what it needs alone.
FROM ${PYTHON_IMAGE} AS requirements
WORKDIR /src
COPY pyproject.toml deploy/container/requirements.py ./
COPY client/pyproject.toml client/
COPY gallery/pyproject.toml gallery/
COPY tools/pyproject.toml tools/
COPY gateway/pyproject.toml gateway/
RUN python3 requirements.py "triton-faces[embedded,gallery,tracing]" >embedded.txt \
    && python3 requirements.py "triton-faces[batch]" "ray[default]>=2.52,<3" >batch.txt \
    && python3 requirements.py "triton-faces-gateway[postgres,tracing]" >page.txt \
    && touch --date=@0 embedded.txt batch.txt page.txt


# Before our own: 1.2 GB that stay one layer, built, sent and pulled once, while our sources change.
FROM ${PYTHON_IMAGE} AS packages
# A second package index, for the CPU build of torch; empty takes the default build, which has CUDA in it. pip reads
# the argument from its environment.
ARG PIP_EXTRA_INDEX_URL=
COPY deploy/container/leave-out.sh /opt/triton-faces/
COPY --from=requirements /src/embedded.txt /opt/triton-faces/
# --no-compile: bytecode of everything is 200 MB, most of it never read; what is imported is compiled below.
RUN pip install --no-cache-dir --no-compile --requirement /opt/triton-faces/embedded.txt \
    && /opt/triton-faces/leave-out.sh
# 1000 is the first user of most Linux machines, who then owns what the exporter writes to a mounted folder; a new
# volume takes over the owner of /models, and of /gallery, where a gallery in a file may lie. The cache of downloads is open to any user id for those where it is another.
RUN useradd --uid 1000 --no-create-home faces \
    && install --directory --mode=1777 /var/cache/triton-faces \
    && install --directory --owner=1000 --group=1000 /models \
    && install --directory --owner=1000 --group=1000 --mode=700 /gallery
# Machine code, which runs: nobody else's to write. A new volume mounted there takes over the owner. None is made while the
# image is built: it would be of the processor that builds.
RUN install --directory --owner=1000 --group=1000 --mode=700 /var/cache/triton-faces-code
# The root file system is read-only: machine code, where there is no volume for it, and whatever looks for a home go to /tmp.
# torch asks for a user name, which an id may lack.
ENV HOME=/tmp \
    USER=faces \
    TRITON_FACES_CACHE=/var/cache/triton-faces \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1


FROM packages AS embedded
# The last lines fail the build, and not the first start, where the packages do not fit together; what they import is
# compiled to bytecode now, since the root file system will be read-only.
COPY --from=wheels /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl \
    && pip check \
    && PYTHONDONTWRITEBYTECODE= TRITON_FACES_CODE_CACHE=off \
        python3 -c "import face_cascade.flow, face_admin.export, face_admin.serve, face_runtime.processor" \
    && rm -rf /wheels
WORKDIR /tmp
USER 1000:1000


FROM embedded AS exporter
ENTRYPOINT ["faces", "export", "--repository", "/models"]


FROM embedded AS cpu
COPY deploy/container/faces-serve.sh /opt/triton-faces/
EXPOSE 8000 8001 8002 8003
CMD ["/opt/triton-faces/faces-serve.sh"]


FROM packages AS batch
# As a node of KubeRay it needs Ray's job API, and wget for the probes.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=requirements /src/batch.txt /opt/triton-faces/
RUN pip install --no-cache-dir --no-compile --requirement /opt/triton-faces/batch.txt \
    && /opt/triton-faces/leave-out.sh
COPY --from=wheels /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl \
    && pip check \
    && PYTHONDONTWRITEBYTECODE= TRITON_FACES_CODE_CACHE=off \
        python3 -c "import face_batch.command, face_batch.doing, av, ray.dashboard" \
    && rm -rf /wheels
WORKDIR /tmp
USER 1000:1000
ENTRYPOINT ["faces", "batch"]


FROM ${TRITON_IMAGE} AS triton
USER root
# What the cascade's engine on a GPU needs (pyproject's extra `gpu`), before our own sources: most of the image's size stays
# one layer when they change. `triton` compiles a launcher in C for each kernel, at run time. --ignore-installed: torch
# wants newer packages than the distribution's, which pip cannot remove. The last lines fail the build, and not the first start.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libpython3-dev \
    && rm -rf /var/lib/apt/lists/*
RUN PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --ignore-installed \
        "torch==2.13.0" "nvidia-nvimgcodec-cu13[nvjpeg]>=0.9,<0.10" \
    && python3 -c "import torch, triton; from nvidia import nvimgcodec; assert torch.version.cuda.startswith('13.')" \
    && echo '#include <Python.h>' \
        | gcc -fsyntax-only -x c -I"$(python3 -c "import sysconfig; print(sysconfig.get_path('include', 'posix_prefix'))")" -
# Compiled kernels, which are code that runs: nobody else's to write. A new volume mounted there takes over the owner.
RUN install --directory --owner=1000 --group=1000 --mode=700 /var/cache/triton-kernels
# Where a gallery in a file may lie.
RUN install --directory --owner=1000 --group=1000 --mode=700 /gallery
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY gallery gallery
COPY cascade cascade
COPY export/face_repository export/face_repository
COPY server server
# No command line and no second Triton: those are in the extra `embedded`. The Python backend's stub runs the system's
# Python, so that is where all packages go, whether or not the distribution marks it as its own.
RUN PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir ./client "./gallery[postgres]" ".[tracing]" \
    && rm -rf /src/* \
    && TRITON_FACES_CODE_CACHE=off \
        python3 -c "import face_cascade.flow, face_pictures.decoding, face_server.healthcheck, pillow_heif, PIL.AvifImagePlugin"
COPY deploy/container/tritonserver.sh /opt/triton-faces/
# malloc: as the embedded server has it (face_server.invocation), where it was measured.
ENV HOME=/tmp \
    TRITON_CACHE_DIR=/var/cache/triton-kernels \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=1 \
    MALLOC_MMAP_THRESHOLD_=4294967296 \
    MALLOC_TRIM_THRESHOLD_=17179869184 \
    TRITON_FACES_MODELS="pnet rnet onet mtcnn face_embeddings face_recognition" \
    TRITON_FACES_ADMIN_KEY=
WORKDIR /tmp
# triton-server in NVIDIA's image.
USER 1000:1000
EXPOSE 8000 8001 8002
# In NVIDIA's entry point, which hands over to it.
CMD ["/opt/triton-faces/tritonserver.sh"]


# Neither torch nor Triton nor the cascade: a client of the servers, for browsers and programs that speak HTTP.
FROM ${PYTHON_IMAGE} AS page
COPY deploy/container/leave-out.sh /opt/triton-faces/
COPY --from=requirements /src/page.txt /opt/triton-faces/
RUN pip install --no-cache-dir --no-compile --requirement /opt/triton-faces/page.txt \
    && /opt/triton-faces/leave-out.sh
# A new volume takes over the owner of /gallery, where a gallery in a file may lie.
RUN useradd --uid 1000 --no-create-home faces \
    && install --directory --owner=1000 --group=1000 --mode=700 /gallery
ENV HOME=/tmp \
    USER=faces \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=wheels /wheels /page /wheels/
RUN pip install --no-cache-dir --no-deps /wheels/triton_faces_*.whl \
    && pip check \
    && PYTHONDONTWRITEBYTECODE= python3 -c "import face_gateway.command, face_gateway.serving, face_gateway.tracing, psycopg" \
    && rm -rf /wheels
COPY deploy/container/faces-page.sh /opt/triton-faces/
WORKDIR /tmp
USER 1000:1000
EXPOSE 8080
CMD ["/opt/triton-faces/faces-page.sh"]


FROM ${PYTHON_IMAGE} AS load
WORKDIR /src
COPY client client
COPY tools tools
# The tools for the types of their options.
RUN pip install --no-cache-dir ./client ./tools "locust>=2.40" \
    && rm -rf /src/*
# As in the repository: the load's picture is one of the tests'.
WORKDIR /srv
COPY load_tests load_tests
COPY tests/data/astronaut.png tests/data/
ENV HOME=/tmp \
    PYTHONPATH=/srv/load_tests \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN useradd --uid 1000 --no-create-home faces
USER 1000:1000
EXPOSE 8089
ENTRYPOINT ["locust", "--locustfile", "/srv/load_tests/locustfile.py"]
