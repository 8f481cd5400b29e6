"""Does a candidate pass? Its answers to a set of pictures against those of the live networks."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from face_client.cli import console
from face_client.errors import InvalidInput
from face_client.options import DetectOptions
from face_deploy import report
from face_deploy.answers import Accuracy
from face_deploy.cascade import LocalCascade
from face_deploy.comparison import compare
from face_deploy.errors import DeployError, GateClosed
from face_deploy.gate import Gate
from face_deploy.pictures import Album, Answers, ask_both

if TYPE_CHECKING:
    from face_client.evaluation.wider_truth import Truth


def with_labels(album: Album, file: Path) -> Album:
    """The pictures that an annotation knows, and it.

    Raises DeployError where it knows none, or cannot be read; ImportError without the client's extra `evaluate`.
    """
    # Imported here: without labels nothing needs the extra.
    from face_client.evaluation.wider_truth import read_truth

    try:
        truth = read_truth(file)
    except (InvalidInput, OSError) as error:
        raise DeployError(f"cannot read the labels: {error}") from error
    labelled = {name: path for name, path in album.pictures.items() if name in truth.pictures}
    if not labelled:
        raise DeployError(f"{file} has no labels for any of the pictures")
    return Album(labelled, truth)


def judge(
    live: Mapping[str, Path],
    candidate: Mapping[str, Path],
    album: Album,
    gate: Gate,
    options: DetectOptions,
) -> Answers:
    """Shows how the candidate compares. live, candidate: files of all networks, and of those that are new.

    Raises GateClosed where that is not good enough.
    """
    console.message("comparing in this process; the server goes on answering")
    answers = ask_both(LocalCascade(live), LocalCascade({**live, **candidate}), album.pictures, options)
    comparison = compare(list(answers.live.values()), list(answers.candidate.values()))
    on_labels = _on_labels(answers, album.truth)
    console.print_table(report.HEADER, report.rows(comparison, *on_labels))
    failures = gate.failures(comparison, *on_labels)
    if failures:
        raise GateClosed(f"the candidate fails the gate: {'; '.join(failures)}; nothing was changed")
    console.message(f"the candidate passes the gate on {comparison.pictures} pictures")
    return answers


def _on_labels(answers: Answers, truth: "Truth | None") -> tuple[dict[str, Accuracy], dict[str, Accuracy]]:
    """Of live and candidate networks, by subset."""
    if truth is None:
        return {}, {}
    # Imported here for the same reason.
    from face_deploy.accuracy import accuracy

    return accuracy(answers.live, truth), accuracy(answers.candidate, truth)
