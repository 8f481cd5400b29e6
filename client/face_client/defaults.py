"""What the library and the command line take when nothing else is said."""

DEFAULT_URL = "127.0.0.1:8001"
DEFAULT_TIMEOUT_S = 30.0
DEFAULT_RETRIES = 2
DEFAULT_IN_FLIGHT = 16
