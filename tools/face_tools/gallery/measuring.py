"""`faces gallery calibrate` and `reindex`: what distances mean here, and faces embedded by another network."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from face_client.errors import InvalidInput, UnfitWeights
from face_client.extras import how_to_install
from face_client.images import ImageLike
from face_client.weights import Weights
from face_command import console, outputs
from face_command.arguments import number
from face_gallery.calibration import Nearest
from face_gallery.records import DEFAULT_COLLECTION, Index, StoredFace, checked_name
from face_gallery.register import Register
from face_gallery.store import Store
from face_tools import batch
from face_tools.connection import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    add_asking,
    add_connection,
    add_patience,
    add_random_weights,
    check_ready,
    check_weights,
    open_client,
    parameters_from,
)
from face_tools.gallery.labelled import Labelled
from face_tools.gallery.options import (
    PARAMETERS_OF_GALLERIES,
    add_store,
    enrolled_index,
    open_gallery,
    register_of,
    some_of,
)

HELPS = {
    "calibrate": "find the threshold for a false-match rate, among the people of the gallery",
    "reindex": "embed all faces by the network that the server has now",
}

_RATE = 0.001

_EPILOGS = {
    "calibrate": f"""\
examples:
  faces gallery calibrate                            one stranger in 1,000 is taken for somebody
  faces gallery calibrate --rate 0.0001 --plot rates.png
  faces gallery calibrate --folder visitors/         by pictures of strangers: a folder a person
  faces gallery calibrate --dry-run                  measure and keep the threshold as it is
  faces gallery calibrate --forget                   back to the literature's threshold

A face of each person is looked up among all others, as a stranger's would be. The threshold is the largest that takes
at most the share --rate ({_RATE:g}) of them for somebody else. It is kept in the gallery, and all decide by it who ask
there. One that rests on too few faces for its rate (5 / rate or so are enough) is told, and not kept without
--keep-few. Calibrate again when there are many more people: the more there are, the nearer the nearest stranger.
With --folder the faces are those of its pictures, of which a server is asked: FOLDER/NAME/*.jpg. Whose name is enrolled
shows how often people are missed, all others are strangers. Each picture should show one face.

exit status: 0 it is measured, 1 without some pictures, or not at all, or not kept for want of faces, 2 wrong usage,
3 no server, or none with a trained FaceNet that fits the gallery
""",
    "reindex": """\
examples:
  faces gallery reindex                              embed, and compare with the index that is enrolled into
  faces gallery reindex --activate                   and enrol into the new one from now on
  faces gallery reindex --use 0f3a9c                 back to the index of these weights, by the start of their digest
  faces gallery reindex --drop 0f3a9c                erase it

Embeddings of two networks cannot be compared, so each has an index of its own. Faces are enrolled into the old one
until another is activated; an index answers wherever the server has its network. After Ctrl-C the same command goes on.
Faces come from the pictures that are kept, or else from the files that they were enrolled from.

exit status: 0 all faces are in the index, 1 some are not, for want of a picture, 2 wrong usage, 3 no server, or none
with a trained FaceNet
""",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare the arguments of one of the verbs."""
    parser.epilog = _EPILOGS[verb]
    add_store(parser)
    if verb == "calibrate":
        parser.add_argument(
            "--rate",
            type=number(above=0, high=0.5),
            metavar="X",
            help=f"share of strangers that may be taken for somebody ({_RATE:g})",
        )
        parser.add_argument(
            "--folder",
            metavar="FOLDER",
            type=Path,
            help="measure by these pictures, and not by the gallery's own faces: FOLDER/NAME/*.jpg",
        )
        parser.add_argument(
            "--collection",
            metavar="NAME",
            help=f"in which the people of --folder are looked for first ({DEFAULT_COLLECTION})",
        )
        parser.add_argument("--plot", metavar="FILE", type=Path, help="write the distances and rates there, as .png")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="measure only")
        what.add_argument("--keep-few", action="store_true", help="keep it also where it rests on too few faces")
        what.add_argument("--forget", action="store_true", help="forget the calibration")
        parser.add_argument("--json", action="store_true", help="a JSON object instead of sentences")
        outputs.add_force(parser)
        add_asking(parser, PARAMETERS_OF_GALLERIES)
    else:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--activate", action="store_true", help="enrol into the new index from now on, if no face is missing"
        )
        what.add_argument("--use", metavar="DIGEST", help="enrol into an index that is there; asks no server")
        what.add_argument("--drop", metavar="DIGEST", help="erase an index that is not enrolled into; asks no server")
        add_connection(parser)
        add_patience(parser)
    add_random_weights(parser)


def calibrate(args: argparse.Namespace) -> int:
    """Measure and keep; returns the exit status."""
    for flag in ("rate", "plot", "folder"):
        if args.forget and getattr(args, flag) is not None:
            raise InvalidInput(f"--{flag} is of no use with --forget, which measures nothing")
    if args.collection is not None and args.folder is None:
        raise InvalidInput(
            "--collection is of no use without --folder: people of all collections are measured together"
        )
    args.collection = checked_name("collection", DEFAULT_COLLECTION if args.collection is None else args.collection)
    for name in parameters_from(args):
        if args.folder is None:
            raise InvalidInput(f"--{name.replace('_', '-')} is of no use without --folder, which is asked about")
    if args.plot is not None:
        if args.plot.suffix.lower() != ".png":
            raise InvalidInput(f"--plot is {args.plot}; it must end in .png")
        outputs.check_file(
            "--plot", args.plot, reads=outputs.identities([Path(args.store)]), is_ours=_is_plot, force=args.force
        )
    if args.folder is not None and not args.folder.is_dir():
        raise InvalidInput(f"--folder is {args.folder}, which is no folder")
    with open_gallery(args) as store:
        active = enrolled_index(store)
        if args.forget:
            store.calibrate(active.weights.sha256, None)
            console.message(f"{store.where} has no calibration now")
            return EXIT_OK
        return _calibrate(args, register_of(store, args), active.weights)


def _calibrate(args: argparse.Namespace, register: Register, weights: Weights) -> int:
    # Not at the top: both need extras, and `--help` does not.
    try:
        import scipy.stats  # noqa: F401

        from face_gallery.calibration import SAMPLE, enrolled, look_up
        from face_gallery.calibration_plot import draw  # noqa: F401
    except ModuleNotFoundError as error:
        hint = how_to_install("triton-faces-gallery", "calibrate")
        raise ImportError(f"{error.name} is needed for a calibration: {hint}", name=error.name) from error
    _check_random(args, register.store, weights)
    if args.folder is not None:
        labelled = Labelled(args, register, weights)
        status = EXIT_OK

        def show(answers: batch.Answers) -> None:
            nonlocal status
            status = _keep(args, register, weights, labelled.look_up(answers))

        found = labelled.pictures
        asked = batch.run(args.verb, args, recognize=True, found=found, take=labelled.take, show=show)
        return max(asked, status)
    total = min(SAMPLE, len(register.store.ids()))
    probes = console.tracked(enrolled(register, weights), total=total, what="faces")
    return _keep(args, register, weights, look_up(register, weights, probes))


def _check_random(args: argparse.Namespace, store: Store, weights: Weights) -> None:
    """Raises UnfitWeights where the gallery's own embeddings, whatever the server has, are of an untrained network."""
    if weights.random and not args.random_weights:
        raise UnfitWeights(
            f"the index of {store.where} that is enrolled into is of random weights, {_name(weights)}, which tell "
            "nobody apart: `faces gallery reindex --activate` makes one of the server's network, or go on all the same "
            "with --random-weights"
        )


def _keep(args: argparse.Namespace, register: Register, weights: Weights, looked_up: Sequence[Nearest]) -> int:
    """The threshold, what is told of it, and whether it is kept; returns the exit status."""
    from face_gallery.calibration import calibrate, measure
    from face_gallery.calibration_plot import draw

    measured = measure(register, looked_up)
    found = calibrate(measured, _RATE if args.rate is None else args.rate)
    if args.plot is not None:
        save = partial(draw(measured, found).savefig, format="png", metadata={"Software": _PLOT})
        outputs.write_whole(args.plot, save)
    if args.json:
        console.line(json.dumps(found.to_dict()))
    else:
        for sentence in str(found).split("; "):
            console.line(sentence)
    where = register.store.where
    if args.dry_run:
        console.message(f"not kept in {where}, as --dry-run says")
        return EXIT_OK
    if found.is_few and not args.keep_few:
        console.message(
            f"not kept in {where}: it rests on too few faces; take a larger --rate, or more of them, or keep it "
            "all the same with --keep-few"
        )
        return EXIT_SOME_FAILED
    register.store.calibrate(weights.sha256, found.to_dict())
    console.message(f"kept in {where}")
    return EXIT_OK


_PLOT = "triton-faces calibration"


def _is_plot(path: Path) -> bool:
    with path.open("rb") as file:
        return _PLOT.encode() in file.read(1024)


def reindex(args: argparse.Namespace) -> int:
    """Embed, compare, switch; returns the exit status."""
    with open_gallery(args) as store:
        if args.use is not None:
            index = _index(store, "--use", args.use)
            store.activate(index.weights.sha256)
            console.message(f"faces are enrolled into {_name(index.weights)} now")
            lacking = store.lacking(index.weights.sha256)
            if not len(lacking):
                return EXIT_OK
            console.message(f"{len(lacking)} faces are not embedded by it, and not found: of {_people(store, lacking)}")
            return EXIT_SOME_FAILED
        if args.drop is not None:
            index = _index(store, "--drop", args.drop)
            store.drop_index(index.weights.sha256)
            console.message(f"the index of {_name(index.weights)} is erased, {index.faces} embeddings")
            return EXIT_OK
        return _reindex(args, store)


def _reindex(args: argparse.Namespace, store: Store) -> int:
    from face_gallery.reindexing import compare
    from face_gallery.reindexing import reindex as embed_again

    if not store.indexes():
        raise InvalidInput(f"nobody is enrolled in {store.where}")
    with open_client(args) as client:
        check_ready(client, client.recognizer, client.embedder, wait=args.wait)
        check_weights(client, args.verb, args.random_weights)
        found = embed_again(store, client, picture_of=_picture_of, random_weights=args.random_weights)
    # The server's weights were looked at; an older index may have others.
    rows = [
        (
            _name(told.weights),
            "" if told.right is None else f"{told.right:.1%}",
            "" if told.own is None else f"{told.own:.3f}",
            "" if told.other is None else f"{told.other:.3f}",
        )
        for told in compare(store, random_weights=True)
    ]
    console.print_table(("index", "nearest is right", "same person", "somebody else"), rows)
    console.message(f"{found.embedded} faces embedded by {_name(found.weights)}, {len(found.missing)} missing")
    _tell_missing(store, found.weights, found.missing)
    active = store.active_index()
    is_active = active is not None and active.weights == found.weights
    if args.activate and not found.missing:
        store.activate(found.weights.sha256)
        console.message(f"faces are enrolled into {_name(found.weights)} now")
    elif not is_active:
        console.message(
            "the index is not enrolled into: `faces gallery reindex --activate`"
            if not found.missing
            else f"the index is not enrolled into; to do so without these faces: --use {found.weights.sha256[:12]}"
        )
    return EXIT_SOME_FAILED if found.missing else EXIT_OK


def _picture_of(face: StoredFace) -> ImageLike | None:
    image = face.details.get("image")
    return Path(image) if isinstance(image, str) and Path(image).is_file() else None


def _tell_missing(store: Store, weights: Weights, missing: Sequence[int]) -> None:
    """Whose they are."""
    if missing:
        console.message(f"no picture is kept, or found, of faces of {_people(store, store.lacking(weights.sha256))}")


def _people(store: Store, ids: Iterable[int]) -> str:
    """Their names, if they are few."""
    return some_of([person.name for person in store.people_by_id(ids).values()])


def _index(store: Store, option: str, digest: str) -> Index:
    """By the start of its weights' digest. Raises InvalidInput."""
    every = store.indexes()
    found = [index for index in every if digest and index.weights.sha256.startswith(digest.lower())]
    if len(found) != 1:
        known = ", ".join(_name(index.weights) for index in every)
        raise InvalidInput(f"{option} is {digest!r}; it must be the start of one of: {known}")
    return found[0]


def _name(weights: Weights) -> str:
    return f"{weights.name} ({weights.sha256[:12]})"
