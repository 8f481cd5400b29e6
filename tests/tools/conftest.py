"""Pictures as files, and a server that is made up, for commands."""

import pytest

from face_client import ServerUnavailable


@pytest.fixture
def transport(command_transport):
    """Answers one face to each picture; remembers the requests."""
    return command_transport


@pytest.fixture
def photos(tmp_path, picture, encode):
    """A folder with two pictures, one in a folder below, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(encode(picture, "JPEG"))
    (folder / "below" / "b.PNG").write_bytes(encode(picture, "PNG"))
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def goes_away(transport, make_answer):
    """goes_away(n): the server answers n requests, and is no more."""

    def after(count):
        def reply(_request):
            if len(transport.requests) > count:
                transport.ready = False
                raise ServerUnavailable("connection refused")
            return make_answer()

        transport.reply = reply

    return after
