"""What the model `face_identification` is asked, and what its answer means. No I/O but reading files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from face_client.errors import ServerError, UnfitWeights
from face_client.faces import Faces
from face_client.messages import Response, Search
from face_client.options import DetectOptions, ParameterValue, check_at_least
from face_client.similarity import RANDOM_WEIGHTS
from face_gallery.errors import EMBEDDED_BY
from face_gallery.quality import Gate, Quality
from face_gallery.records import NOBODY, Candidate, Filter, Identified, Threshold, checked_collections, checked_filter

_OUTPUTS = ("margins", "candidates", "threshold_details")

_UNFIT = (RANDOM_WEIGHTS, f"{EMBEDDED_BY} ")


def search_of(
    model: str,
    top: int,
    collections: Sequence[str] | None,
    where: Filter | None,
    crops: bool,
    max_side: int | None,
    options: DetectOptions,
) -> Search:
    """What is asked about a picture; see `ServedGallery.identify`. Raises InvalidInput."""
    check_at_least("top", top, 1, whole=True)
    parameters: dict[str, ParameterValue] = {"top": int(top)}
    if collections is not None:
        parameters["collections"] = json.dumps(checked_collections(collections))
    if where:
        parameters["where"] = json.dumps(dict(checked_filter(where)))
    search = Search.of(model, crops, max_side, options)
    return replace(search, outputs=(*search.outputs, *_OUTPUTS), parameters={**search.parameters, **parameters})


def identified(faces: Faces, response: Response, threshold: float | None, gate: Gate | None) -> list[Identified]:
    """Who each of the faces of an answer is. Raises ServerError where it is none of our servers'.

    threshold: that of the caller, who decides here; None: the server's.
    """
    try:
        margins, candidates, details = (response.outputs[name][0] for name in _OUTPUTS)
        if not len(faces):
            return []
        told = Threshold.from_dict(json.loads(details[0]))
        decided = told if threshold is None else Threshold(float(threshold), "given")
        return [
            Identified(
                face,
                [Candidate.from_dict(each) for each in json.loads(people)],
                decided,
                _margin(margin),
                () if gate is None else gate.refusals(Quality.of(face)),
            )
            for face, people, margin in zip(faces, candidates, margins)
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServerError(f"the server's answer has no names in it ({error!r})") from error


def _margin(value: np.float32) -> float | None:
    return None if value >= NOBODY else float(value)


@contextmanager
def unfit_weights() -> Iterator[None]:
    """What the server says of weights that will not do is UnfitWeights, as of a gallery of this process."""
    try:
        yield
    except ServerError as error:
        if not str(error).startswith(_UNFIT):
            raise
        told = UnfitWeights(str(error))
        told.request_id = error.request_id
        raise told from error
