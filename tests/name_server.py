"""A real name server on this machine, and a place where programs ask no other.

`getaddrinfo` reads /etc/resolv.conf, which knows no port: so the server listens on port 53 of a loopback address, and a
program that is to ask it runs in a mount namespace with an /etc/resolv.conf of its own. Both need root.
"""

import os
import shutil
from contextlib import contextmanager

from dnslib import AAAA, QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

# Not 127.0.0.53, where systemd has its own.
ADDRESS = "127.0.0.153"


def can_be_asked():
    """Whether this machine lets a test have port 53 and a namespace."""
    return os.geteuid() == 0 and bool(shutil.which("unshare"))


class NameServer(BaseResolver):
    """names: the addresses of each, in any order; may be changed at any time. Others are unknown.

    fails: every question ends with SERVFAIL. questions: how many were asked.
    """

    def __init__(self, names):
        self.names, self.fails, self.questions = names, False, 0

    def resolve(self, request, _handler):
        self.questions += 1
        reply = request.reply()
        name = str(request.q.qname).rstrip(".")
        if self.fails:
            reply.header.rcode = RCODE.SERVFAIL
        elif name not in self.names:
            reply.header.rcode = RCODE.NXDOMAIN
        for address in self.names.get(name, ()):
            kind, data = (QTYPE.AAAA, AAAA) if ":" in address else (QTYPE.A, A)
            if request.q.qtype == kind and not self.fails:
                reply.add_answer(RR(name, kind, rdata=data(address), ttl=0))
        return reply


@contextmanager
def name_server(names):
    """A NameServer at ADDRESS."""
    resolver = NameServer(names)
    server = DNSServer(resolver, port=53, address=ADDRESS, logger=DNSLogger("-request,-reply,-truncated,-error"))
    server.start_thread()
    try:
        yield resolver
    finally:
        server.stop()
        server.server.server_close()


def asking_it(folder, *command):
    """The command, for a process whose names are looked up there. folder: for a file."""
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n")
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return [shutil.which("unshare"), "--mount", "sh", "-c", script, settings, *command]
