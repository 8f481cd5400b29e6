"""API keys: the file's lines, rates, permissions, and what a changed file does."""

import random

import pytest

from face_client.errors import InvalidInput
from face_gateway.errors import KeyNeeded, NotAllowed, TooManyRequests
from face_gateway.keys import Bucket, Key, Keys, add_key, hash_of, parse


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_a_key_is_kept_as_a_hash_and_let_in(tmp_path):
    file = tmp_path / "keys"
    key, other = add_key(file, "camera-7"), add_key(file, "backend")
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    keys = Keys(file)
    assert (keys.admit(key).name, keys.admit(other).name) == ("camera-7", "backend")
    for wrong in (None, "", key[:-1], key.lower(), "é" * 10, "\udcff"):
        with pytest.raises(KeyNeeded):
            keys.admit(wrong)
    with pytest.raises(InvalidInput, match="already"):
        add_key(file, "backend")
    with pytest.raises(InvalidInput, match="no name"):
        add_key(file, "two words")


def test_what_a_line_says():
    hashes = [hash_of(str(number)) for number in range(4)]
    keys = parse(
        f"# who\n\na {hashes[0]}\nb {hashes[1]} rate=2.5 burst=9 may=faces,identify # why\n"
        f"c {hashes[2]} rate=0.1\nd {hashes[3]} rate=30"
    )
    assert keys[hashes[0]] == Key("a")
    assert keys[hashes[1]] == Key("b", 2.5, 9, frozenset({"faces", "identify"}))
    assert keys[hashes[2]].burst == 1
    assert keys[hashes[3]].burst == 30


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a", "begin with a name"),
        ("a sha256:12", "begin with a name"),
        ("a {} fast", "'fast' is none of"),
        ("a {} rate=0", "rate=0 must be a number above 0"),
        ("a {} rate=nan", "rate=nan"),
        ("a {} rate=1 rate=2", "each once"),
        ("a {} burst=2", "burst= needs rate="),
        ("a {} may=all", "may=all must be of"),
        ("a {0}\nb {0}", "line 2: 'b' or its key"),
        ("a {}\na sha256:" + "0" * 64, "line 2: 'a' or its key"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, complaint):
    file = tmp_path / "keys"
    file.write_text(line.format(hash_of("x")))
    with pytest.raises(InvalidInput, match=complaint):
        Keys(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="none cannot be read: No such file"):
        Keys(tmp_path / "none")


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path):
    file, clock = tmp_path / "keys", Clock()
    key = add_key(file, "a")
    keys = Keys(file, clock)
    other = add_key(file, "b")
    clock.now += 2
    assert keys.admit(other).name == "b"
    file.write_text("nonsense")
    clock.now += 2
    assert keys.admit(key).name == "a"
    assert "line 1" in keys.complaint
    file.write_text(f"b {hash_of(other)}")
    clock.now += 2
    assert keys.admit(other).name == "b"
    assert keys.complaint is None
    with pytest.raises(KeyNeeded):
        keys.admit(key)


def test_what_is_wrong_with_the_file_is_told_when_it_changes(tmp_path):
    file, clock, told = tmp_path / "keys", Clock(), []
    key = add_key(file, "a")
    keys = Keys(file, clock, told.append)

    def becomes(change):
        change()
        for _ in range(3):
            clock.now += 2
            assert keys.admit(key).name == "a"

    text = file.read_text()
    becomes(lambda: file.write_text(f"{text}b sha256:12"))
    becomes(lambda: file.write_text(f"{text}\nb sha256:12"))
    aside = tmp_path / "aside"
    becomes(lambda: file.rename(aside))
    aside.write_text(text)
    becomes(lambda: aside.rename(file))
    becomes(lambda: file.rename(aside))
    # The very file that was read.
    becomes(lambda: aside.rename(file))
    for sentence, words in zip(
        told, ("keys, line 2: it", "keys, line 3: it", "No such file", "again", "No such", "again"), strict=True
    ):
        assert words in sentence
    assert "; the keys that were read before go on, revoked ones too" in told[0]


def test_a_rate_is_that_of_counting_every_moment():
    """The bucket, against a count of tokens in steps of a thousandth of a second."""
    source = random.Random(5)
    key, tick = Key("a", rate=4.0, burst=3), 0.001
    bucket, tokens, let_in = Bucket(3, 0.0), 3.0, []
    for step in range(1, 5000):
        tokens = min(3.0, tokens + 4.0 * tick)
        if source.random() > 0.02:
            continue
        let_in.append(tokens >= 1 - 1e-6)
        if let_in[-1]:
            bucket.take(key, step * tick)
            tokens -= 1
        else:
            with pytest.raises(TooManyRequests) as refusal:
                bucket.take(key, step * tick)
            assert refusal.value.after == pytest.approx((1 - tokens) / 4.0, abs=1e-6)
    assert 15 < sum(let_in) < len(let_in)


def test_each_key_has_its_own_rate(tmp_path):
    file, clock = tmp_path / "keys", Clock()
    slow, fast = add_key(file, "slow"), add_key(file, "fast")
    file.write_text(file.read_text().replace(hash_of(slow), f"{hash_of(slow)} rate=1 burst=2"))
    keys = Keys(file, clock)
    for _ in range(2):
        keys.admit(slow)
    with pytest.raises(TooManyRequests, match="'slow' may ask 1 times a second"):
        keys.admit(slow)
    for _ in range(50):
        keys.admit(fast)
    clock.now += 1
    keys.admit(slow)


def test_what_a_key_may():
    Key("a").check("enrol")
    with pytest.raises(NotAllowed, match="it may faces, identify"):
        Key("b", may=frozenset({"faces", "identify"})).check("enrol")
