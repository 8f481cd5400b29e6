"""FaceClient and AsyncFaceClient behind one face, so that what they share is tested on both."""

import asyncio
import inspect
import threading

import pytest

from face_client import AsyncFaceClient, FaceClient


class AsyncFake:
    """A fake transport for asyncio: the one for threads, each call in a thread."""

    def __init__(self, fake):
        self.fake = fake

    async def infer(self, request, timeout):
        return await asyncio.to_thread(self.fake.infer, request, timeout)

    async def is_ready(self, model, timeout):
        return await asyncio.to_thread(self.fake.is_ready, model, timeout)

    async def close(self):
        self.fake.close()


class Blocking:
    """An AsyncFaceClient that is called as a FaceClient is: each call runs to its end."""

    def __init__(self, *arguments, transport=None, **options):
        self._loop = asyncio.new_event_loop()
        self._transport = transport
        self._client = AsyncFaceClient(
            *arguments, transport=None if transport is None else AsyncFake(transport), **options
        )

    def __getattr__(self, name):
        value = getattr(self._client, name)
        return self._blocking(value) if callable(value) else value

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _blocking(self, method):
        def call(*arguments, **options):
            result = method(*arguments, **options)
            return self._iterate(result) if inspect.isasyncgen(result) else self._run(result)

        return call

    def _run(self, awaitable):
        return self._loop.run_until_complete(awaitable)

    def _iterate(self, answers):
        try:
            while True:
                try:
                    yield self._run(answers.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            self._run(answers.aclose())

    def pauses(self):
        """The pauses between attempts from now on, which are over at once."""
        waited = []

        async def wait(seconds):
            waited.append(seconds)
            return False

        self._client._closing.wait = wait
        return waited

    def set_timeout(self, timeout):
        self._client.timeout = timeout

    def close_soon(self, seconds):
        """While a call waits."""
        self._loop.call_later(seconds, lambda: asyncio.ensure_future(self._client.close()))

    def end(self):
        """Whatever a test has left."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._run(self._client.close())
        self._run(self._loop.shutdown_asyncgens())
        self._run(self._loop.shutdown_default_executor())
        self._loop.close()


class Waiting(FaceClient):
    def set_timeout(self, timeout):
        self.timeout = timeout

    def pauses(self):
        waited = []
        self._closing.wait = lambda seconds: bool(waited.append(seconds))
        return waited

    def close_soon(self, seconds):
        threading.Timer(seconds, self.close).start()

    def end(self):
        self.close()


@pytest.fixture(params=[Waiting, Blocking], ids=["sync", "async"])
def twin(request):
    """twin(arguments of FaceClient…): a client, of threads or of asyncio; closed at the end."""
    made = []

    def make(*arguments, **options):
        made.append(request.param(*arguments, **options))
        return made[-1]

    yield make
    for client in made:
        client.end()
