"""Probability and box of each face: python detect.py PHOTO [ADDRESS]"""

import os
import sys
from pathlib import Path

import requests

address = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("FACES_URL", "http://127.0.0.1:8080")
headers = {"Authorization": f"Bearer {os.environ['FACES_KEY']}"} if "FACES_KEY" in os.environ else {}
with Path(sys.argv[1]).open("rb") as photo:
    response = requests.post(f"{address.rstrip('/')}/v1/detect", files={"image": photo}, headers=headers, timeout=30)
answer = response.json()
if not response.ok:
    sys.exit(answer["detail"])
for face in answer["images"][0]["faces"]:
    print(face["probability"], *face["box"])
