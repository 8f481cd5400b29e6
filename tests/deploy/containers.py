"""Dockerfile and docker-compose.yml, read."""

import re
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES = COMPOSE["services"]
SERVERS = ("triton", "triton-cpu")
TLS_SECRETS = ("tls_certificate", "tls_key", "tls_client_authority")
"""Those of the servers."""

# ${NAME:-default}, wherever it stands in a value.
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def filled_in(value):
    """A value with every variable at its default."""
    return VARIABLE.sub(r"\2", value)


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, arguments) a line, continuations joined and comments left out."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions by build target."""
    found: dict[str, list[tuple[str, str]]] = {}
    for instruction, rest in dockerfile():
        if instruction == "FROM":
            found[rest.split(" AS ")[1]] = current = []
        elif found:
            current.append((instruction, rest))
    return found


def environment(stage: str) -> dict[str, str]:
    words = [w for instruction, rest in stages()[stage] if instruction == "ENV" for w in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def copies() -> dict[str, str]:
    """What the builder copies from the repository, and where to, in any stage."""
    found = {}
    for instructions in stages().values():
        for instruction, rest in instructions:
            if instruction == "COPY" and not rest.startswith("--from="):
                *sources, target = rest.split()
                found.update(dict.fromkeys(sources, target))
    return found
