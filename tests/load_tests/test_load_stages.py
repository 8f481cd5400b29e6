"""Users over time."""

import pytest

from face_load.schedule import Stage, parse_stages, users_at


def test_a_ramp_a_hold_and_a_spike():
    stages = parse_stages("1-20@30, 20@60,60@10")
    assert stages == (Stage(1, 20, 30), Stage(20, 20, 60), Stage(60, 60, 10))
    assert [users_at(stages, at) for at in (0, 15, 29.9, 30, 89, 90, 99.9)] == [1, 10, 20, 20, 20, 60, 60]
    assert users_at(stages, 100) is None


def test_users_may_become_fewer_and_none():
    stages = parse_stages("10-0@5,0@1.5,3@1")
    assert [users_at(stages, at) for at in (0, 2.5, 4.9, 6, 6.6)] == [10, 5, 0, 0, 3]


@pytest.mark.parametrize(
    "text",
    ["", "20", "20@", "@5", "1-@5", "-2@5", "1-2-3@5", "2@0", "2@-1", "a@5", "2@5;3@5", "1@99999999", "9999999@1"],
)
def test_what_is_no_stage_is_told(text):
    with pytest.raises(ValueError, match="must be USERS@SECONDS"):
        parse_stages(text)
