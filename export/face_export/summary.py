"""What an export wrote, as a table for people."""

from rich import box
from rich.console import Console
from rich.table import Table

from face_export.exporter import Export

_DIGEST_LENGTH = 12


def print_table(exports: list[Export]) -> None:
    """One row a network on stdout: size, source, parity and the start of the file's SHA-256."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("source", overflow="fold")
    table.add_column("max difference", justify="right")
    table.add_column("model.pt", no_wrap=True)
    for done in exports:
        source = f"{done.source}: {done.note}" if done.note else done.source
        digest = done.model_sha256[:_DIGEST_LENGTH]
        table.add_row(done.model, f"{done.parameters:,}", source, f"{done.parity_max_difference:.1g}", digest)
    Console().print(table)
