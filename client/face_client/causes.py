"""Why no connection came about, in words for a person: gRPC's own, and what most likely stands behind them."""

from __future__ import annotations

import re

from face_client.tls import Tls

_TRUST = (
    "no authority that is trusted here vouches for the server's certificate: name its authority's "
    'with Tls(root_certificates="ca.pem"), --tls-ca or TRITON_FACES_TLS_CA'
)

# gRPC's words, and what they mean. Of a server that ends the connection at once, more is known by how it was asked.
_CAUSES = (
    ("Connection refused", "nothing listens there: is the server running, and is this its gRPC port?"),
    (
        "Failed parsing HTTP/2|http1|Expected SETTINGS",
        "that is not a gRPC port, perhaps the HTTP port: Triton's gRPC port is another, often 8001",
    ),
    ("WRONG_VERSION_NUMBER", "the server does not encrypt on this port: leave TLS out, or take its encrypted port"),
    ("CERTIFICATE_VERIFY_FAILED", _TRUST),
    ("Hostname Verification", "the server's certificate is for another host name than the url's"),
    (
        "SETTINGS frame|Handshake read failed|Deadline Exceeded|DEADLINE_EXCEEDED|[Tt]imed? ?out",
        "something listens there and does not answer: the server hangs or is overloaded, or is no gRPC server",
    ),
    (
        "resolv|lookup|Name or service not known|Domain name not found",
        "the host name is not known here: is it spelled right?",
    ),
    ("No route|unreachable", "the network does not lead there"),
    (
        "http2 header with status",
        "a web server or a proxy answers in its place: see http_proxy and no_proxy, and the port",
    ),
)

_ENDED = re.compile("Socket closed|Connection reset|GOAWAY|Broken pipe|[Ee]ndpoint closing")

# Others are of a connection that was there.
_CONNECTING = re.compile(
    "failed to connect|errors resolving|DNS resolution|http2 header with status|Deadline Exceeded|DEADLINE_EXCEEDED"
)


def likely_cause(message: str, tls: Tls | None) -> str:
    """gRPC's words, with what most likely stands behind them where they are of a connection that did not come about.

    tls: how the connection was to be encrypted.
    """
    if not _CONNECTING.search(message):
        return message
    cause = next((cause for words, cause in _CAUSES if re.search(words, message)), None)
    if cause is None and _ENDED.search(message):
        cause = _of_an_end(tls)
    return message if cause is None else f"{message.rstrip('.')}; {cause}"


def _of_an_end(tls: Tls | None) -> str:
    if tls is None:
        return "the server ends the connection: it may take encrypted ones only (Tls(), --tls or TRITON_FACES_TLS=1)"
    if tls.certificate_chain is None:
        return (
            "the server ends the connection: it may want a certificate of the client too "
            "(Tls(certificate_chain=…, private_key=…), --tls-cert and --tls-key)"
        )
    return "the server ends the connection: it may not trust the client's certificate, or may not encrypt"
