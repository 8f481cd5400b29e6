"""The driver, and how work is cut up."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face_cascade import PNET, Call, Limits, Together, drive
from face_cascade.calls import runs


def doubled(value):
    (answer,) = yield Call(PNET, np.full((1,), value, np.float32))
    return float(answer[0])


def total(values):
    results = yield Together("doubling", [doubled(value) for value in values])
    last = yield from doubled(sum(results))
    return results, last


def run(call):
    return (call.batch * 2,)


def test_drives_calls_and_flows_that_run_together():
    assert drive(total([1, 2, 3]), run) == ([2, 4, 6], 24)
    assert drive(total([]), run) == ([], 0)


def test_threads_give_the_same():
    with ThreadPoolExecutor(4) as pool:
        assert drive(total(range(50)), run, pool.map) == drive(total(range(50)), run)


def test_an_error_of_the_driver_reaches_its_caller():
    def fail(_call):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        drive(total([1]), fail)


@given(st.integers(0, 3000), st.integers(1, 300), st.integers(1, 16))
def test_shares_are_equal_small_enough_and_as_many_for_each_worker(count, largest, parallel):
    shares = Limits(parallel=parallel).shares(count, largest)
    rows = [row for share in shares for row in range(share.start, share.stop)]
    assert rows == list(range(count))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes, default=0) <= largest
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert len(shares) % parallel == 0 or len(shares) == count


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([3, 3, 3, 5, 1], 6, [[3, 3], [3], [5, 1]]),
        # One larger goes alone.
        ([1, 9, 1], 5, [[1], [9], [1]]),
        ([], 5, []),
    ],
)
def test_runs_hold_at_most_so_much(sizes, most, expected):
    assert [sizes[run] for run in runs(sizes, most)] == expected
