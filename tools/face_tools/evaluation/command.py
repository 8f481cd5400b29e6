"""`faces evaluate`: accuracy on standard sets, one verb a set."""

from __future__ import annotations

import argparse

from face_tools.evaluation import lfw_command as lfw
from face_tools.evaluation import wider_command as wider

HELP = "measure accuracy on a standard set: WIDER FACE or Labeled Faces in the Wild"

_EPILOG = """\
The sets must be on this machine; docs/evaluation.md says where they come from and how they lie. A run that is
interrupted goes on where it stopped.

examples:
  faces evaluate wider WIDER/                         average precision of detection: easy, medium, hard
  faces evaluate lfw lfw/ --pairs pairs.txt           accuracy of recognition over ten folds, ROC curve
  faces evaluate wider --help
"""

_SETS = {"wider": wider, "lfw": lfw}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sets and their arguments."""
    parser.epilog = _EPILOG
    sets = parser.add_subparsers(title="sets", metavar="SET", required=True)
    for name, module in _SETS.items():
        verb = sets.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(verb)
        verb.set_defaults(evaluate=module.run)


def run(args: argparse.Namespace) -> int:
    """Measure on the chosen set; returns the exit status."""
    status: int = args.evaluate(args)
    return status
