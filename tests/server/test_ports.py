import socket

import pytest

from face_server.errors import SetupError
from face_server.ports import free_ports, ipv4_address


def test_ports_are_free_and_different():
    ports = free_ports(("127.0.0.1",) * 3, (0, 0, 0))
    assert len(set(ports)) == 3
    with socket.create_server(("127.0.0.1", ports[0])), pytest.raises(SetupError, match=f"127.0.0.1:{ports[0]}"):
        free_ports(("127.0.0.1",) * 3, ports)


def test_hosts_become_addresses():
    assert ipv4_address("127.0.0.1") == ipv4_address("localhost") == "127.0.0.1"
    with pytest.raises(SetupError, match="host is '::1', must be an IPv4 address"):
        ipv4_address("::1")
