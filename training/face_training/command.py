"""`faces train`: from annotated pictures to networks of one's own, one verb a step."""

import argparse
import importlib
import sys

HELP = "train PNet, RNet, ONet on annotated pictures, or FaceNet on a folder of people"

_EPILOG = """\
examples:
  faces train prepare work/ --wider WIDER/ --landmarks FACES/    read the annotations, say what is usable
  faces train all work/                                          PNet, RNet, ONet
  faces train pnet work/ --init pretrained --epochs 5            one stage, from the published weights
  faces train facenet people/ --out work/facenet
  faces export --pnet work/pnet/pnet.pt --rnet work/rnet/rnet.pt --onet work/onet/onet.pt

docs/training.md leads from the downloads to a live model.
"""

_VERBS = ("prepare", "pnet", "rnet", "onet", "all", "facenet")

# The three stages and all of them are one module.
_MODULES = dict.fromkeys(("pnet", "rnet", "onet", "all"), "stages")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs and their arguments."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="steps", metavar="STEP", required=True)
    for name in _VERBS:
        module = importlib.import_module(f"face_training.cli.{_MODULES.get(name, name)}")
        text = module.HELPS[name] if name in _MODULES else module.HELP
        verb = verbs.add_parser(name, help=text, description=text)
        module.add_arguments(verb, name)
        verb.set_defaults(train=module.run, verb=name)


def run(args: argparse.Namespace) -> int:
    """Do the chosen step; returns the exit status: 0 done, 1 failed."""
    from face_cascade.parameters import CascadeError
    from face_export.errors import ExportError
    from face_training.errors import TrainingError

    try:
        status: int = args.train(args)
    except (TrainingError, ExportError, CascadeError) as error:
        print(f"faces train {args.verb}: {error}", file=sys.stderr)
        return 1
    return status
