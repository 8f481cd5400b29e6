"""What the library and the command line take when nothing else is said."""

import os

URL_VARIABLE = "TRITON_FACES_URL"
"""The environment variable that names another server than the default one."""

DEFAULT_URL = os.environ.get(URL_VARIABLE, "127.0.0.1:8001")
DEFAULT_TIMEOUT_S = 30.0
DEFAULT_RETRIES = 2
DEFAULT_IN_FLIGHT = 16
