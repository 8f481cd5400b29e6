"""Callers of one client in a process of its own, which has its own name servers: until standard input ends.

Prints a line when they are answered; at the end how many answers they had, their numbers of faces, and the errors.
"""

import json
import sys

import numpy as np

from face_client import FaceClient
from tests.e2e.under_load import under_load
from tests.pictures import astronaut


def main(url, callers):
    # A face, and little work: servers that share two cores with others differ in speed, and the faster are asked more.
    picture = np.ascontiguousarray(astronaut()[:300:2, 100:400:2])
    with FaceClient(url) as client, under_load(client, picture, int(callers)) as load:
        load.wait_for(1)
        print("answered", flush=True)
        sys.stdin.read()
    report = {"answers": len(load.answers), "faces": sorted(set(load.answers)), "errors": list(map(str, load.errors))}
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
