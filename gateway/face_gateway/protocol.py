"""HTTP as uvicorn speaks it, with limits on headers, for which it would wait for ever, and read any length."""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from face_gateway.settings import Limits


def protocol_with(limits: Limits) -> type[HttpToolsProtocol]:
    """uvicorn's `http`: a protocol that ends connections whose header is too slow, or too long."""

    class Protocol(HttpToolsProtocol):
        _timer: TimerHandle | None = None
        _header_bytes = 0
        _in_header = True

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            # Of the first request the time counts from here; of a later one from its first byte.
            self._start_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._in_header:
                self._start_timer()
                self._header_bytes += len(data)
            super().data_received(data)
            # What follows the header in the same packet is no part of it: counted only while there is no end to it.
            if self._in_header and self._header_bytes > limits.header_bytes:
                self.transport.close()

        def on_headers_complete(self) -> None:
            self._stop_timer()
            self._in_header, self._header_bytes = False, 0
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._in_header = True

        def _start_timer(self) -> None:
            if self._timer is None:
                self._timer = self.loop.call_later(limits.header_seconds, self.timeout_keep_alive_handler)

        def _stop_timer(self, _: Any = None) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Protocol
