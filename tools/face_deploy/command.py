"""`faces deploy`: retrained networks onto a running server, compared first."""

import argparse
import sys
from pathlib import Path

from face_deploy.comparison import MAX_LOSS, MIN_AGREEMENT, Gate
from face_repository.layout import default_repository
from face_repository.versions import NETWORKS
from face_server.environment import ADMIN_KEY_VARIABLE
from face_tools.connection import add_connection, add_parameters, parameters_from

HELP = "swap retrained networks into a running server, if they pass a comparison with the live ones"

_PARAMETERS = ("min_face_size", "threshold_pnet", "threshold_rnet", "threshold_onet", "factor")

_EPILOG = f"""\
examples:
  faces deploy --pnet my_pnet.pt --photos holiday/            compare, show, ask, switch
  faces deploy --pnet my_pnet.pt --photos holiday/ --dry-run  compare and show; needs no server
  faces deploy --rnet my_rnet.pt --photos WIDER_val/images --labels wider_face_val_bbx_gt.txt --yes
  faces deploy --rollback                                     back to what was live before
  faces deploy --list                                         versions, and which are live

The server must have been started with {ADMIN_KEY_VARIABLE} in its environment; the same variable, or --key-file, gives
the key here. It answers all the while: no request is lost, and every answer is wholly of the old or of the new
networks.
Exit status: 0 switched (or passed, with --dry-run), 1 not.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `faces deploy`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    for network in NETWORKS:
        parser.add_argument(f"--{network}", type=Path, metavar="FILE", help="new weights, as for `faces export`")
    parser.add_argument("--trust", action="store_true", help="read pickles (.lz4, .npy), which can run code")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="pictures to compare on; their subfolders too")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="where the faces are, in WIDER FACE's format (text, or the folder of .mat files), by paths below --photos",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="compare only")
    what.add_argument("--rollback", action="store_true", help="undo the last deployment")
    what.add_argument("--list", action="store_true", help="show all versions")
    parser.add_argument("--yes", action="store_true", help="switch without asking, if the gate is passed")
    _add_gate(parser)
    parser.add_argument(
        "--repository", type=Path, default=default_repository(), metavar="DIR", help="the server's (%(default)s)"
    )
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help=f"holds the server's admin key (default: {ADMIN_KEY_VARIABLE})"
    )
    add_connection(parser)
    add_parameters(parser, _PARAMETERS)


def _add_gate(parser: argparse.ArgumentParser) -> None:
    gate = parser.add_argument_group("gate")
    gate.add_argument(
        "--min-agreement",
        type=_share,
        metavar="X",
        help="share of all faces, found by either, that live and candidate must both find "
        f"({MIN_AGREEMENT}; with --labels none)",
    )
    gate.add_argument(
        "--max-loss",
        type=_share,
        default=MAX_LOSS,
        metavar="X",
        help="with --labels: how far average precision and recall may fall (%(default)s)",
    )
    gate.add_argument("--min-recall", type=_share, metavar="X", help="with --labels: recall that is needed (none)")
    gate.add_argument(
        "--max-landmark-shift",
        type=_share,
        default=Gate.max_landmark_shift,
        metavar="X",
        help="how far landmarks may move, the median in widths of a face (%(default)s)",
    )
    gate.add_argument(
        "--max-slowdown",
        type=float,
        default=Gate.max_slowdown,
        metavar="X",
        help="how many times as long the candidate may take (%(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Do what `args` ask for; returns the exit status."""
    # Not at the top: torch and the compiled cascade take seconds, which `faces --help` should not.
    from face_deploy.errors import DeployError
    from face_deploy.steps import compare_only, deploy, roll_back, show_versions
    from face_export.errors import ExportError

    wrong = _wrong(args) or _wrong_parameter(args)
    if wrong:
        print(f"faces deploy: {wrong}", file=sys.stderr)
        return 2
    try:
        if args.list:
            show_versions(args)
        elif args.rollback:
            roll_back(args)
        elif args.dry_run:
            compare_only(args)
        else:
            deploy(args)
    except (DeployError, ExportError) as error:
        print(f"faces deploy: {error}", file=sys.stderr)
        return 1
    return 0


def _wrong(args: argparse.Namespace) -> str:
    """Why the arguments do not go together; empty where they do."""
    new = [name for name in NETWORKS if getattr(args, name)]
    if "," in args.url:
        return "give one server at a time in --url"
    if args.list or args.rollback:
        return f"--{new[0]} goes with a deployment only" if new else ""
    if not new:
        return "give a new network: --pnet, --rnet or --onet FILE"
    if args.min_recall is not None and args.labels is None:
        return "--min-recall needs --labels"
    return "" if args.photos else "--photos DIR is needed to compare on"


def _wrong_parameter(args: argparse.Namespace) -> str:
    """What the cascade says of the parameters, before anything is exported; empty where they are right."""
    from face_cascade import DetectionParameters, InvalidInput

    try:
        DetectionParameters.parse(dict(parameters_from(args)))
    except InvalidInput as error:
        return str(error)
    return ""


def _share(text: str) -> float:
    """An argparse type."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value
