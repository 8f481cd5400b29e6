"""Locust in a process of its own that cannot do what it should."""

import pytest

from face_load.errors import LoadError
from face_load.locust_run import run_locust

# Nobody listens there.
NOWHERE = "127.0.0.1:1"


def test_why_a_run_failed_is_told(tmp_path):
    with pytest.raises(LoadError, match=r"locust ended with status 1:\n.*--photos /no/such is not a folder"):
        run_locust(NOWHERE, tmp_path / "run", ("--photos", "/no/such", "--run-time", "5s"))


def test_a_server_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LoadError, match=r"127\.0\.0\.1:1, mtcnn: .*Connection refused"):
        run_locust(NOWHERE, tmp_path / "run", ("--sizes", "64x64", "--run-time", "5s"))


def test_an_option_that_locust_does_not_know_is_told(tmp_path):
    with pytest.raises(LoadError, match="unrecognized arguments: --no-such-option"):
        run_locust(NOWHERE, tmp_path / "run", ("--no-such-option",))
