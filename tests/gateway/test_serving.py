"""The listener that `faces page` gives uvicorn."""

import socket

import pytest

from face_gateway.serving import _listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_send_small_packets_at_once(host):
    """Else an answer's body would wait for the caller's acknowledgement of its header."""
    with (
        _listener(host, 0) as listener,
        socket.create_connection(listener.getsockname()[:2]),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken_is_named():
    with _listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: Address already in use$"):
            _listener("127.0.0.1", port)
