"""Sources for tests, and what is listed of them."""

import io
import tarfile

from face_batch.reading import Reader
from face_batch.sources import ITEM_SCHEMA, Item, list_source


def write(folder, *names):
    """Files that hold their names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def items_of(source, column=None):
    """All items, as a shard gets them."""
    listing = list_source(str(source), column)
    assert listing.items.schema == ITEM_SCHEMA
    items = [Item(**row) for row in listing.items.to_pylist()]
    assert [item.path for item in items] == sorted({item.path for item in items})
    return items


def listed(source, below, column=None):
    """Paths below a folder, and kinds."""
    return [(item.path.removeprefix(f"{below}/"), item.kind) for item in items_of(source, column)]


def contents(source, column=None):
    """What a reader gets of each item, by its path: bytes, or status and sentence."""
    found = Reader(column=column).read_all(items_of(source, column))
    return {item.path: data if isinstance(data, bytes) else (data.status, str(data)) for item, data in found}


def archive(file, members, **options):
    """A tar file of names and contents."""
    with tarfile.open(file, "w", **options) as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
