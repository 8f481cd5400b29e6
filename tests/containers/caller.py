"""Runs in a container: asks all replicas behind a name until SIGTERM, then prints what it was answered.

caller.py dns:///faces:8001 photo.png
"""

import json
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from face_client import FaceClient, FaceError

url, photo = sys.argv[1:]
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
picture = Path(photo).read_bytes()
answers: Counter[str] = Counter()
first = threading.Event()


def ask(client):
    # With a pause: on a small machine callers, servers and one that starts share two cores.
    while not stopped.wait(0.1):
        try:
            answers[f"{len(client.detect(picture))} faces"] += 1
        except FaceError as error:
            answers[f"{type(error).__name__}: {error}"] += 1
        if not first.is_set():
            first.set()
            print("asking", flush=True)


with FaceClient(url) as shared:
    threads = [threading.Thread(target=ask, args=(shared,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(json.dumps(answers))
