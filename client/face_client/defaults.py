"""What the library and the command line take when nothing else is said."""

import os

from face_client.tls import tls_from_environment

URL_VARIABLE = "TRITON_FACES_URL"
"""The environment variable that names another server than the default one, or several with commas between."""

DEFAULT_URL = os.environ.get(URL_VARIABLE) or "127.0.0.1:8001"
DEFAULT_TLS = tls_from_environment(os.environ)
DEFAULT_TIMEOUT_S = 30.0
# 0.1 s and doubling: 2.3 s in all on average. Time enough for another of several servers to be asked, and for a
# model's dead process to be taken out of service.
DEFAULT_RETRIES = 5
DEFAULT_IN_FLIGHT = 16

# Of videos. A request there is a whole picture of pixels, and holds `stride` frames back; two of them keep two cores
# busy, four a server that is further away.
VIDEO_IN_FLIGHT = 4
MAX_AGE = 30
MIN_HITS = 1
# x264's fastest, because the machine has better to do: files are two to three times those of "veryfast".
PRESET = "ultrafast"
# x264's own.
CRF = 23
