"""HTTP as uvicorn speaks it, with limits where it would wait for ever, or keep any length: on headers, on answers that
nobody takes, on connections."""

from __future__ import annotations

import uuid
from asyncio import Handle, Transport
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from face_client.errors import FaceError
from face_gateway import problems
from face_gateway.errors import HeaderTooLarge, InvalidBody, TooManyRequests
from face_gateway.record import Done, Record
from face_gateway.settings import Limits
from face_gateway.visit import SECURITY


def protocol_with(limits: Limits, record: Record) -> type[HttpToolsProtocol]:
    """uvicorn's `http`: a protocol that ends connections that are too many, whose header is too slow or too long, or
    whose caller does not take the answer."""

    class Protocol(HttpToolsProtocol):
        _header_timer: Handle | None = None
        _answer_timer: Handle | None = None
        # Bytes that are of no body: of a header, of what stands between pieces of a body or behind it.
        _loose_bytes = 0
        _in_header = True

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            # Writing is paused until all of an answer is on its way, not all but the last 64 KiB.
            transport.set_write_buffer_limits(high=1, low=0)
            if len(self.connections) > limits.connections:
                self._refuse(TooManyRequests(f"{limits.connections} connections are open, and no more are taken"))
                return
            # Of the first request the time counts from here; of a later one from its first byte.
            self._start_header_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_header_timer()
            self._stop_answer_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._in_header:
                self._start_header_timer()
            self._loose_bytes += len(data)
            super().data_received(data)
            # What follows a header in the same packet is no part of it: counted only while there is no end to it.
            if self._loose_bytes > limits.header_bytes:
                self._refuse(HeaderTooLarge(f"the header has more than {limits.header_bytes} bytes"))

        def on_header(self, name: bytes, value: bytes) -> None:
            # Behind a body in pieces there may be more of them, which nobody asks for.
            if self._in_header:
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._stop_header_timer()
            self._in_header, self._loose_bytes = False, 0
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._loose_bytes = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._in_header, self._loose_bytes = True, 0

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002 uvicorn's
            self._refuse(InvalidBody("that is no HTTP/1.1 request"))

        def pause_writing(self) -> None:
            super().pause_writing()
            self._answer_timer = self.loop.call_later(limits.answer_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            self._stop_answer_timer()
            super().resume_writing()

        def _refuse(self, error: FaceError) -> None:
            """Say so, and end the connection. An answer that is under way is not written into: the record has it."""
            if self.transport.is_closing():
                return
            if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                request_id = uuid.uuid4().hex
                answer = problems.response(error, request_id)
                answer.headers.update({"X-Request-ID": request_id, "Connection": "close", **SECURITY})
                head = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode()
                lines = [b": ".join(header) for header in answer.raw_headers]
                self.transport.write(b"\r\n".join([head, *lines, b"", bytes(answer.body)]))
                record.done(Done("none", "none", answer.status_code, 0.0, 0, 0, request_id, None))
            self.transport.close()

        def _start_header_timer(self) -> None:
            if self._header_timer is None:
                self._header_timer = self.loop.call_later(limits.header_seconds, self.timeout_keep_alive_handler)

        def _stop_header_timer(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _stop_answer_timer(self) -> None:
            if self._answer_timer is not None:
                self._answer_timer.cancel()
                self._answer_timer = None

    return Protocol
