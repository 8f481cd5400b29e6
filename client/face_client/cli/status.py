"""Exit statuses of the verbs that ask the server about pictures, and the words for a server that is not there."""

from __future__ import annotations

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_SERVER = 3


def no_server(verb: str, model: str, url: str) -> str:
    """One sentence; for FaceNet, whose weights may be what is missing, it says how to get them."""
    start = "start one with `faces serve`, or name another with --url"
    if model == "facenet":
        start = "give it FaceNet with `faces export --facenet vggface2`, then start it with `faces serve`"
    return f"faces {verb}: no server with model '{model}' is ready at {url}; {start}"
