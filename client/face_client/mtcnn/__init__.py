"""ipazc's mtcnn 1.0.0, served by Triton: change the import, and nothing else.

    from face_client.mtcnn import MTCNN

    detector = MTCNN()                                  # url="host:8001" or client=FaceClient(…)
    for face in detector.detect_faces("photo.jpg"):
        print(face["box"], face["confidence"], face["keypoints"]["nose"])

`docs/migrating.md` lists the differences. Modules have the same paths: `face_client.mtcnn.utils.images` and so on.
"""

from __future__ import annotations

from face_client.mtcnn.mtcnn import MTCNN

__all__ = ["MTCNN"]
