"""Both twins, for all tests of what they share."""

import pytest

import face_client.retry
from tests.client.twins import twin

__all__ = ["twin"]


@pytest.fixture
def client_of(twin, make_transport, monkeypatch):
    """client_of(replies…, timeout=…): a client, of threads or of asyncio, whose waits are short."""
    monkeypatch.setattr(face_client.retry, "_FIRST_DELAY_S", 0.001)
    return lambda *replies, **options: twin(transport=make_transport(*replies), **options)
