"""Every request of a run, written and read."""

import pytest

from face_load.samples import Generator, Sample, read, write


def test_what_is_written_is_read(tmp_path):
    samples = [
        Sample(0.1234, 0.12, 45.67, 'mtcnn jpeg café, "quoted".jpg', "good"),
        Sample(12.5, 3.0, 60000.0, "mtcnn bad: no picture", "DEADLINE_EXCEEDED"),
    ]
    write(tmp_path / "run", samples, Generator(started=1000.25, wall_s=30, cpu_s=1.5))
    found, generator = read(tmp_path / "run")
    assert found == samples
    assert (generator.started, generator.cores) == (1000.25, 0.05)
    assert (tmp_path / "run_requests.csv").exists()


def test_a_run_that_wrote_nothing_is_an_error(tmp_path):
    with pytest.raises(OSError, match=r"run_requests\.csv"):
        read(tmp_path / "run")
