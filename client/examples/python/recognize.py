"""Prints the faces of pictures with their embeddings; of two pictures also whether they show one person.

    pip install ./client
    python client/examples/python/recognize.py photo.jpg
    python client/examples/python/recognize.py --url 127.0.0.1:8001 a.jpg b.jpg

The server needs FaceNet's weights.
"""

from __future__ import annotations

import argparse
import json
import sys

from face_client import FaceClient, FaceError
from face_client.options import DEFAULT_URL
from face_client.similarity import compare_faces


def main() -> None:
    parser = argparse.ArgumentParser(description="Find the faces in pictures, and compare two.")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument("--url", default=DEFAULT_URL)
    args = parser.parse_args()

    with FaceClient(args.url, timeout=30) as client:
        found = list(client.recognize_batch(args.images))
    for image, faces in zip(args.images, found):
        print(json.dumps({"image": image, **faces.to_dict()}))
    if len(found) == 2:
        # The largest face of each: faces come in that order.
        print(json.dumps(compare_faces(*found)._asdict()))


if __name__ == "__main__":
    try:
        main()
    except (FaceError, OSError) as error:
        sys.exit(f"recognize: {error}")
