"""Targets of made-up rows, over a folder of small pictures and videos."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from face_batch.manifest import Run, Target
from face_batch.sources import Item, list_source
from tests import clips

WIDTH, HEIGHT = 160, 120
EVERY = 2
SHARD_SIZE = 4

ANSWERS = {
    "a.png": 2,
    "b.png": 0,
    "c.png": "invalid_image",
    # Of videos: what was found in which frame; None is the whole of it.
    "d.mp4": {0: 1, 2: 0, 4: 2},
    "e.mp4": {None: "invalid_video", 0: 1},
    "f.png": "missing",
    "g.png": 3,
    "h.png": 1,
    # A shard without a face.
    "i.png": 0,
    "j.png": 0,
}
"""What each item came to: a number of faces, or a status."""

ERROR = "it is <broken> & gone"


@dataclass(frozen=True)
class Made:
    """A finished run. folder: of the target."""

    target: Target
    run: Run
    folder: Path

    def rows(self, number):
        """Those of a shard, as dicts."""
        return self.target.read(number).to_pylist()

    def write(self, number, rows):
        """Other rows for a shard, of the same run."""
        self.target.commit(self.run, number, table(rows, self.run))

    def path(self, name):
        """Of an item, as the rows have it."""
        return str(self.folder.parent / "source" / name)


def make(folder, answers=ANSWERS, embeddings=False, crops=False):
    """A target in folder/target, with all its shards, of the pictures in folder/source."""
    source = write_source(folder / "source", answers)
    items = list_source(str(source)).items
    run = Run(
        source=str(source),
        items=len(items),
        shard_size=SHARD_SIZE,
        embeddings=embeddings,
        crops=crops,
        every=EVERY,
        options={"min_face_size": 20},
        fingerprint={"release": "1.2.3"},
    )
    made = Made(Target.at(str(folder / "target")), run, folder / "target")
    made.target.begin(run, items)
    for number in range(run.shards):
        some = made.target.items(number)
        made.write(number, [row for item in some for row in rows_of(item, answers[Path(item.path).name], run)])
    made.target.succeed()
    return made


def write_source(folder, answers=ANSWERS):
    """Pictures in which the colour tells the place, and in a video the frame: see `pixels`."""
    folder.mkdir(parents=True)
    for name in answers:
        if name.endswith(".png"):
            Image.fromarray(pixels()).save(folder / name)
        else:
            clips.write(folder / name, [pixels(number) for number in range(6)], options={"crf": "5"})
    return folder


def pixels(frame=0):
    """RGB [HEIGHT, WIDTH, 3]: red is x, green is y, and blue grows by 40 a frame."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x, y, np.full_like(x, 40 * frame)], axis=2).astype(np.uint8)


def rows_of(item: Item, answer, run):
    """Of an item: those of its frames, where it has some, and of their faces."""
    for frame, came_to in (answer if isinstance(answer, dict) else {None: answer}).items():
        where = {"path": item.path, "frame": frame, "time_s": None if frame is None else frame / clips.RATE}
        if isinstance(came_to, str):
            yield {**where, "status": came_to, "error": ERROR}
            continue
        size = {"width": WIDTH, "height": HEIGHT}
        yield {**where, **size, "status": "ok", "faces": came_to, "candidates_dropped": 0}
        for number in range(came_to):
            yield {**where, **size, "face": number, **face(item.path, number, run)}


def face(path, number, run):
    """The columns of a face: one of its own for each name and number."""
    random = np.random.default_rng([*path.rpartition("/")[2].encode(), number])
    left, top = random.integers(2, 40, 2)
    width, height = random.integers(20, 75, 2)
    row = {
        # Most are sure, as of real faces.
        "probability": 1 - 0.3 * random.uniform() ** 3,
        "size": min(width, height),
        "box": [left, top, left + width, top + height],
        "landmarks": random.uniform(10, 30, 10),
    }
    if run.embeddings:
        vector = random.normal(size=512)
        row["embedding"] = vector / np.linalg.norm(vector)
    if run.crops:
        row["crop"] = crop(tuple(random.integers(0, 256, 3)))
    return row


def crop(colour):
    """JPEG of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(file, "JPEG")
    return file.getvalue()


def table(rows, run):
    """Of rows, in the run's columns: what is not said is null, or a vector of NaN."""
    kinds = {field.name: field.type for field in run.schema}
    nothing = {
        name: [np.nan] * kind.list_size if pa.types.is_fixed_size_list(kind) else None for name, kind in kinds.items()
    }
    return pa.table(
        {name: pa.array([{**nothing, **row}[name] for row in rows], kind) for name, kind in kinds.items()}, run.schema
    )


def other_run(made):
    """The same with another option."""
    return replace(made.run, options={"min_face_size": 40})
