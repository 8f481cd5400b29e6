"""Whether networks in half precision find the faces that they find in float32, on somebody's photos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from face_admin.deploy.comparison import TIGHT, Answer, Comparison, compare
from face_admin.deploy.confidence import share_doubt
from face_admin.deploy.judging import Album, Answers, Follow, LocalCascade, ask_both
from face_cascade.crops import detection_crops
from face_cascade.flow import Detection
from face_cascade.networks import FACENET
from face_cascade.parameters import DetectionParameters
from face_export.errors import PrecisionError
from face_export.exporter import Built, model_path
from face_export.torchscript import from_bytes
from face_pictures.decoding import decode_image
from face_repository.versions import NETWORKS, latest, numbers
from face_repository.weights import FP16, FP32
from face_tools.matching import match

Row: TypeAlias = tuple[str, str]

# FaceNet's input is 75 kB a face, its maps a hundred times that.
_FACES_AT_ONCE = 16


@dataclass(frozen=True)
class Gate:
    """min_agreement: of all faces that float32 or float16 finds, the share that both find at IoU ≥ 0.9; and the share
    that must be shown to keep min_similarity. min_similarity: the least cosine similarity that the two embeddings of
    one face may have. accept_few: judge by so few faces as there are, as `faces deploy` may.
    """

    min_agreement: float
    min_similarity: float
    accept_few: bool = False


@dataclass(frozen=True)
class Differences:
    """The largest over the faces that both find at IoU ≥ 0.9: of boxes and landmarks in pixels, of probabilities."""

    box: float
    landmark: float
    probability: float


@dataclass(frozen=True)
class Verdict:
    """How half precision compares; None for what was not exported with it, and of no faces.

    similarities: FLOAT [N], cosines between the embeddings of a face in float32 and in float16.
    unreadable: why pictures were left out.
    """

    comparison: Comparison | None
    differences: Differences | None
    similarities: NDArray[np.floating] | None
    unreadable: Mapping[str, str]

    def failures(self, gate: Gate) -> Iterator[str]:
        """What fails the gate, a sentence each. Limits are written as `not …`: NaN keeps none."""
        if self.comparison is not None:
            agreement = self.comparison.tight_agreement
            if agreement is None:
                yield "there is no face in these photos, so nothing speaks for float16"
            elif not agreement >= gate.min_agreement:
                yield f"agreement is {agreement:.4f}, must be at least {gate.min_agreement:g}"
        if self.similarities is not None:
            if not len(self.similarities):
                yield "there is no face in these photos to compare embeddings of"
            elif not (least := self.similarities.min()) >= gate.min_similarity:
                yield f"embeddings of one face have similarity {least:.6f}, must be at least {gate.min_similarity:g}"
        if not gate.accept_few:
            yield from self.doubts(gate)

    def doubts(self, gate: Gate) -> Iterator[str]:
        """Which limits are kept on these faces, without their being enough to show it; a sentence each."""
        doubts = []
        if self.comparison is not None:
            of = self.comparison
            doubts.append(share_doubt(of.tight, of.either_tight, gate.min_agreement, "an agreement"))
        if self.similarities is not None:
            same = int(np.sum(self.similarities >= gate.min_similarity))
            # One that falls short fails by itself.
            if same == len(self.similarities):
                what = f"a share of similarities from {gate.min_similarity:g}"
                doubts.append(share_doubt(same, same, gate.min_agreement, what))
        yield from (doubt for doubt in doubts if doubt)

    def rows(self) -> list[Row]:
        """For people."""
        rows: list[Row] = []
        if self.comparison is not None:
            of = self.comparison
            agreement = "-" if of.tight_agreement is None else f"{of.tight_agreement:.4f}"
            rows += [
                ("pictures", str(of.pictures)),
                ("faces in float32, in float16", f"{of.faces[0]}, {of.faces[1]}"),
                ("found by both (IoU ≥ 0.9)", f"{of.tight}, agreement {agreement}"),
            ]
        if self.differences is not None:
            rows += [
                ("largest difference of a box", f"{self.differences.box:.3f} pixels"),
                ("of a landmark", f"{self.differences.landmark:.3f} pixels"),
                ("of a probability", f"{self.differences.probability:.1g}"),
            ]
        if self.similarities is not None and len(self.similarities):
            mean, least = self.similarities.mean(), self.similarities.min()
            rows.append((f"similarity of {len(self.similarities)} embeddings", f"mean {mean:.6f}, least {least:.6f}"))
        return rows


def judge(float32: Sequence[Built], chosen: Sequence[Built], repository: Path, album: Album, follow: Follow) -> Verdict:
    """Compares networks, of which some are in half precision, with the same ones in float32.

    All on the CPU: float32 compiled, float16 in torch, with weights and maps of float16. Networks of the
    cascade that are not among them are the live ones of the repository.
    Raises PrecisionError where the repository lacks one; DeployError where no picture can be read.
    """
    half = {network.export.model: network for network in chosen if network.export.precision == FP16}
    in_torch = [name for name in NETWORKS if name in half]
    with TemporaryDirectory() as folder:
        before, after = (_files(b, repository, Path(folder, n)) for b, n in ((float32, FP32), (chosen, FP16)))
        pictures = follow(album.pictures.items())
        live = LocalCascade(before)
        candidate = LocalCascade(after, in_torch) if in_torch else live
        answers = ask_both(live, candidate, pictures, {}, times=1)
    comparison = differences = similarities = None
    if in_torch:
        sides = list(answers.live.values()), list(answers.candidate.values())
        comparison, differences = compare(*sides), largest_differences(*sides)
    if FACENET.name in half:
        similarities = _similarities(half[FACENET.name], album, answers)
    return Verdict(comparison, differences, similarities, answers.unreadable)


def _files(built: Sequence[Built], repository: Path, folder: Path) -> dict[str, Path]:
    """Writes networks where only a comparison sees them; all of the cascade's, by name."""
    written = {network.export.model: network for network in built}
    files = {}
    for name in NETWORKS:
        if name in written:
            written[name].write(folder)
            files[name] = model_path(folder, name)
        elif numbers(repository / name):
            files[name] = model_path(repository, name, latest(repository / name))
        else:
            raise PrecisionError(f"to compare, all of the cascade is needed, and {repository} has no {name}")
    return files


def largest_differences(first: Sequence[Answer], second: Sequence[Answer]) -> Differences | None:
    """None where no two faces match."""
    found = []
    for one, other in zip(first, second, strict=True):
        for i, j in match(one.boxes, other.boxes, TIGHT):
            found.append(
                [
                    np.abs(one.boxes[i] - other.boxes[j]).max(),
                    np.linalg.norm(one.landmarks[i] - other.landmarks[j], axis=1).max(),
                    abs(one.probabilities[i] - other.probabilities[j]),
                ]
            )
    return Differences(*(float(value) for value in np.max(found, axis=0))) if found else None


def _similarities(facenet: Built, album: Album, answers: Answers) -> NDArray[np.floating]:
    """Of the faces that float32 finds, as recognition cuts them by default."""
    half = from_bytes(facenet.archive).eval()
    found: list[NDArray[np.floating]] = [np.zeros(0)]
    for name, faces in answers.live.items():
        image = decode_image(album.pictures[name].read_bytes())
        where = Detection(faces.boxes, faces.probabilities, faces.landmarks, np.zeros(len(faces.boxes), np.int32))
        crops = torch.from_numpy(detection_crops(image, where, DetectionParameters(), FACENET.side))
        with torch.inference_mode():
            for part in crops.split(_FACES_AT_ONCE) if len(crops) else ():
                found.append(torch.cosine_similarity(facenet.reference(part)[0], half(part)[0]).numpy())
    return np.concatenate(found)
