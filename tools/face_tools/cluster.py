"""`faces cluster`: who is in many pictures, as a contact sheet and as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from face_client.faces import Faces
from face_client.similarity import SAME_DISTANCE
from face_command import console, outputs
from face_command.arguments import number, whole
from face_pictures.marks import SHEET, mark, marked
from face_tools import batch, need_extra, pictures
from face_tools.clustering import UNCLUSTERED, Clusters, cluster_faces
from face_tools.connection import EXIT_OK, EXIT_USAGE, add_asking, add_random_weights
from face_tools.drawing import Section, Tile, contact_sheet, thumbnail
from face_tools.pictures import Picture

HELP = "tell which faces in many pictures are one person's"

_EPILOG = """\
examples:
  faces cluster holiday/                            clusters.png to look at, and clusters.json
  faces cluster holiday/ --sheet people.png         people.png and people.json
  faces cluster holiday/ --distance 0.9             only faces that are more alike

The sheet has a row for each cluster, the largest first, and at its end the faces that are with no other. --distance is
the largest average distance of two embeddings in a cluster, from 0 to 2. Needs SciPy, the extra `cluster`.
Both files replace those of an earlier run, and no others. After Ctrl-C, or when the server has gone, they show what was
found until then.

exit status: 0 every picture was read, 1 some were not or a file could not be written, 2 wrong usage, 3 no server, or
none with a trained FaceNet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `faces cluster`."""
    parser.epilog = _EPILOG
    pictures.add_paths(parser)
    parser.add_argument(
        "--sheet",
        metavar="FILE",
        type=Path,
        default=Path("clusters.png"),
        help="the contact sheet; FILE.json beside it has the numbers (%(default)s)",
    )
    parser.add_argument(
        "--distance",
        type=number(above=0, high=2),
        default=SAME_DISTANCE,
        metavar="D",
        help="how far apart the faces of a cluster may be on average (%(default)g)",
    )
    parser.add_argument("--min-faces", type=whole(1), default=2, metavar="N", help="the smallest cluster (%(default)s)")
    outputs.add_force(parser)
    add_random_weights(parser)
    add_asking(parser)


def run(args: argparse.Namespace) -> int:
    """Recognise, cluster and write; returns the exit status."""
    if args.sheet.suffix.lower() != ".png":
        console.message(f"faces cluster: --sheet is {args.sheet}; it must end in .png")
        return EXIT_USAGE
    need_extra("cluster")
    found: list[tuple[Path, Faces]] = []
    failed: list[dict[str, Any]] = []

    def check(pictures: Sequence[Picture]) -> None:
        reads = outputs.identities(picture.path for picture in pictures)
        outputs.check_file("--sheet", args.sheet, reads=reads, is_ours=_is_sheet, force=args.force)
        numbers = args.sheet.with_suffix(".json")
        outputs.check_file("--sheet", numbers, reads=reads, is_ours=_is_numbers, force=args.force)

    def show(answers: batch.Answers) -> None:
        for picture, answer in answers:
            if isinstance(answer, Faces):
                found.append((picture.path, _small(answer)))
            else:
                failed.append({"image": str(picture.path), "error": batch.error_document(answer)})

    def finish() -> int:
        return _report(found, failed, args) if found else EXIT_OK

    return batch.run("cluster", args, recognize=True, crops=True, check=check, show=show, finish=finish)


def _is_sheet(path: Path) -> bool:
    return marked(path) == SHEET


def _is_numbers(path: Path) -> bool:
    """Whether a file is the .json beside a sheet."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.keys() >= {"distance", "clusters", "unclustered"}


def _report(found: list[tuple[Path, Faces]], failed: list[dict[str, Any]], args: argparse.Namespace) -> int:
    clusters = cluster_faces((faces for _, faces in found), args.distance, args.min_faces, args.random_weights)
    paths = [found[image][0] for image in clusters.images]
    _write(clusters, paths, failed, args)
    _print(clusters, paths)
    return EXIT_OK


def _small(faces: Faces) -> Faces:
    """With crops as small as they are on the sheet: those of a large collection would fill the memory."""
    if faces.crops is None or not len(faces.crops):
        return faces
    return replace(faces, crops=np.stack([np.asarray(thumbnail(crop)) for crop in faces.crops]))


def _groups(clusters: Clusters) -> list[tuple[str, list[int]]]:
    """A title and the faces of each cluster, and of those that have none."""
    groups = [(f"cluster {label + 1}", clusters.members(label)) for label in range(len(clusters))]
    return [*groups, ("unclustered", clusters.members(UNCLUSTERED))]


def _write(clusters: Clusters, paths: list[Path], failed: list[dict[str, Any]], args: argparse.Namespace) -> None:
    def tile(number: int) -> Tile:
        crop = clusters.faces[number].crop
        assert crop is not None, "crops were asked for"
        return Tile(crop, paths[number].name)

    def entry(number: int) -> dict[str, Any]:
        document = clusters.faces[number].to_dict()
        return {"image": str(paths[number]), "box": document["box"], "probability": document["probability"]}

    groups = [(title, members) for title, members in _groups(clusters) if members]
    sections = [Section(f"{title}: {len(members)}", [tile(number) for number in members]) for title, members in groups]
    save = partial(contact_sheet(sections).save, format="PNG", exif=mark(SHEET))
    outputs.write_whole(args.sheet, save)
    document = {
        "distance": args.distance,
        "clusters": [[entry(n) for n in clusters.members(label)] for label in range(len(clusters))],
        "unclustered": [entry(n) for n in clusters.members(UNCLUSTERED)],
        "failed": failed,
    }
    outputs.write_text(args.sheet.with_suffix(".json"), json.dumps(document, indent=1))


def _print(clusters: Clusters, paths: list[Path]) -> None:
    rows = (
        (title, str(len(members)), str(len({paths[number] for number in members})))
        for title, members in _groups(clusters)
    )
    console.print_table(("cluster", "faces", "pictures"), rows)
