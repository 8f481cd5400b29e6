"""`faces cluster`: who is in many pictures, as a contact sheet and as JSON."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from face_client.faces import Faces
from face_client.similarity import SAME_DISTANCE
from face_command import console
from face_command.arguments import number, whole
from face_tools import need_extra, pictures
from face_tools.clustering import UNCLUSTERED, Clusters, cluster_faces
from face_tools.connection import EXIT_OK, EXIT_USAGE, add_asking, in_one_line
from face_tools.drawing import Section, Tile, contact_sheet, thumbnail

HELP = "tell which faces in many pictures are one person's"

_EPILOG = """\
examples:
  faces cluster holiday/                            clusters.png to look at, and clusters.json
  faces cluster holiday/ --sheet people.png         people.png and people.json
  faces cluster holiday/ --distance 0.9             only faces that are more alike

The sheet has a row for each cluster, the largest first, and at its end the faces that are with no other. --distance is
the largest average distance of two embeddings in a cluster, from 0 to 2. Needs SciPy: pip install "./tools[cluster]".

exit status: 0 every picture was read, 1 some were not or a file could not be written, 2 wrong usage, 3 no server, or
none with FaceNet
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
    add_asking(parser)


def run(args: argparse.Namespace) -> int:
    """Recognise, cluster and write; returns the exit status."""
    if args.sheet.suffix.lower() != ".png":
        console.message(f"faces cluster: --sheet is {args.sheet}; it must end in .png")
        return EXIT_USAGE
    need_extra("cluster")
    found: list[tuple[Path, Faces]] = []

    def show(answers: pictures.FacesOfPictures, _args: argparse.Namespace) -> None:
        found.extend((path, _small(faces)) for path, faces in answers)

    status = pictures.run("cluster", args, recognize=True, crops=True, show=show)
    if not found:
        return status
    return in_one_line("cluster", lambda: _report(found, args)) or status


def _report(found: list[tuple[Path, Faces]], args: argparse.Namespace) -> int:
    clusters = cluster_faces((faces for _, faces in found), args.distance, args.min_faces)
    paths = [found[image][0] for image in clusters.images]
    _write(clusters, paths, args)
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


def _write(clusters: Clusters, paths: list[Path], args: argparse.Namespace) -> None:
    def tile(number: int) -> Tile:
        crop = clusters.faces[number].crop
        assert crop is not None, "crops were asked for"
        return Tile(crop, paths[number].name)

    def entry(number: int) -> dict[str, Any]:
        document = clusters.faces[number].to_dict()
        return {"image": str(paths[number]), "box": document["box"], "probability": document["probability"]}

    groups = [(title, members) for title, members in _groups(clusters) if members]
    sections = [Section(f"{title}: {len(members)}", [tile(number) for number in members]) for title, members in groups]
    args.sheet.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(sections).save(args.sheet)
    document = {
        "distance": args.distance,
        "clusters": [[entry(n) for n in clusters.members(label)] for label in range(len(clusters))],
        "unclustered": [entry(n) for n in clusters.members(UNCLUSTERED)],
    }
    args.sheet.with_suffix(".json").write_text(json.dumps(document, indent=1))


def _print(clusters: Clusters, paths: list[Path]) -> None:
    rows = (
        (title, str(len(members)), str(len({paths[number] for number in members})))
        for title, members in _groups(clusters)
    )
    console.print_table(("cluster", "faces", "pictures"), rows)
