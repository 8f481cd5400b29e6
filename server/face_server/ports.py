"""Addresses and ports of a server's listeners."""

import socket

from face_server.errors import SetupError

LOOPBACK = "127.0.0.1"


def to_reach(address: str) -> str:
    """Where this machine reaches what listens on an address: all interfaces, by loopback."""
    return LOOPBACK if address == "0.0.0.0" else address


def ipv4_address(host: str) -> str:
    """The address of a host: Triton 2.51 listens on IPv4 addresses only, and not by name.

    Raises:
        SetupError: it has none.
    """
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise SetupError(f"host is {host!r}, must be an IPv4 address or a name that has one") from error


def free_ports(hosts: tuple[str, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The wanted ports, each checked to be free on its host; 0 means any free one.

    All are held at once while choosing, so that the same one is not chosen twice.

    Raises:
        SetupError: a wanted port is in use, or the host's address is not this machine's.
    """
    held = []
    try:
        for host, port in zip(hosts, wanted, strict=True):
            held.append(_bind(host, port))
        return tuple(s.getsockname()[1] for s in held)
    finally:
        for listener in held:
            listener.close()


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SetupError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
