"""Ports for the server's three listeners."""

import socket

from face_server.errors import SetupError


def free_ports(host: str, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The wanted ports, each checked to be free; 0 means any free one.

    All are held at once while choosing, so that the same one is not chosen twice.

    Raises:
        SetupError: a wanted port is in use, or the host's address is not this machine's.
    """
    held = []
    try:
        for port in wanted:
            held.append(_bind(host, port))
        return tuple(s.getsockname()[1] for s in held)
    finally:
        for listener in held:
            listener.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SetupError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
