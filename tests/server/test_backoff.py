from face_server.supervision.renewal import Backoff


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(first=1, longest=10, window=1000)
    assert [backoff.next_pause(now) for now in range(7)] == [0, 1, 2, 4, 8, 10, 10]


def test_what_is_long_ago_is_forgotten():
    backoff = Backoff(first=1, longest=10, window=100)
    assert [backoff.next_pause(now) for now in (0, 50, 99)] == [0, 1, 2]
    # The first is out of the window.
    assert backoff.next_pause(100) == 2
    assert backoff.next_pause(500) == 0


def test_a_limit():
    backoff = Backoff(window=100, limit=3)
    assert [backoff.next_pause(now) for now in (0, 1, 2, 3, 50)] == [0, 1, 2, None, None]
    # What was refused does not count.
    assert backoff.next_pause(100.5) == 2
    assert backoff.next_pause(101.5) == 2
    assert backoff.next_pause(101.6) is None
