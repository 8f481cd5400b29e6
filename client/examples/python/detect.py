"""Finds the faces in pictures and prints one JSON object a picture.

pip install ./client
python client/examples/python/detect.py photo.jpg holiday/*.jpg
python client/examples/python/detect.py --min-face-size 40 --url 127.0.0.1:8001 photo.jpg
"""

from __future__ import annotations

import argparse
import json
import sys

from face_client import FaceClient, FaceError
from face_client.options import DEFAULT_URL


def main() -> None:
    parser = argparse.ArgumentParser(description="Find the faces in pictures.")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument("--url", default=DEFAULT_URL)
    parser.add_argument("--min-face-size", type=float, metavar="N")
    args = parser.parse_args()
    options = {} if args.min_face_size is None else {"min_face_size": args.min_face_size}

    # One client for as long as the program runs, and for all its threads.
    with FaceClient(args.url, timeout=30) as client:
        # Many at a time, in order; `client.detect(image)` is for one.
        for image, faces in zip(args.images, client.detect_batch(args.images, **options)):
            print(json.dumps({"image": image, **faces.to_dict()}), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (FaceError, OSError) as error:
        sys.exit(f"detect: {error}")
