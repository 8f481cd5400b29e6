"""What the sets are asked with where nobody says otherwise. A module of its own, so that `--help` needs no extra."""

from __future__ import annotations

from face_client.options import DetectOptions

WIDER = DetectOptions(min_face_size=10, threshold_pnet=0.5, threshold_rnet=0.5, threshold_onet=0.3, factor=0.79)
"""What others took to measure the published networks on this set: a curve needs unlikely detections as well,
and the subset `hard` has faces from 10 pixels (github.com/kpzhang93/MTCNN_face_detection_alignment, issues
23 and 26)."""

LFW = DetectOptions(selection="center_weighted_size", margin=14)
"""As facenet-pytorch's own evaluation on this set has it (examples/lfw_evaluate.ipynb): the person who is
meant stands in the centre, and some background is cut with the face."""
