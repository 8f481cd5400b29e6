"""What a server listens on."""

import psutil


def listening(server):
    """Address of each port that a server listens on."""
    sockets = psutil.Process(server.pid).net_connections("tcp")
    return {socket.laddr.port: socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}
