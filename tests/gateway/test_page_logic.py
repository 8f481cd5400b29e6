"""What the page's modules reckon, in the Node.js that comes with playwright: no browser, no server."""

import json
import shutil
import subprocess
from importlib.resources import files
from itertools import permutations

import numpy as np
import pytest
from playwright._impl._driver import compute_driver_executable

STATIC = files("face_gateway") / "static"


@pytest.fixture(scope="module")
def reckon(tmp_path_factory):
    """Evaluates an expression of JavaScript, with a module's exports as `m` and an argument as `x`."""
    folder = tmp_path_factory.mktemp("modules")
    for path in STATIC.iterdir():
        if path.name.endswith(".js"):
            shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    node, _ = compute_driver_executable()

    def run(module, expression, argument=None):
        program = (
            f"import * as m from '{folder}/{module}.js'; const x = {json.dumps(argument)};"
            f"console.log(JSON.stringify({expression}))"
        )
        command = [node, "--input-type=module", "--eval", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_stages_of_a_header(reckon):
    header = 'body;dur=1.20, server;dur=57.6, decode;dur=10.5;desc="a", images;desc="1", odd'
    assert reckon("api", "m.stagesOf(x)", header) == {"body": 1.2, "server": 57.6, "decode": 10.5}
    assert reckon("api", "m.stagesOf(null)") == {}


@pytest.mark.parametrize(
    ("stages", "milliseconds"),
    [({"server": 50, "decode": 5, "pnet": 20, "rnet": 8, "onet": 4, "nms": 1}, 61), ({}, 30), ({"pnet": 20}, 10)],
)
def test_shares_of_the_time_are_all_of_it_and_none_twice(reckon, stages, milliseconds):
    parts = reckon("timing", "m.shares(...x)", [stages, milliseconds])
    assert sum(part["time"] for part in parts) == pytest.approx(max(milliseconds, stages.get("pnet", 0)))
    assert all(part["time"] > 0 for part in parts)


def test_a_slider_keeps_every_value_that_it_can_show(reckon):
    for about in ({"minimum": 10, "maximum": 65535}, {"minimum": 0.1, "maximum": 1}, {"minimum": 0, "maximum": 1}):
        of_all = "((s) => [...Array(s.steps + 1).keys()].map((p) => [s.value(p), s.value(s.place(s.value(p)))]))"
        values = reckon("sliders", f"{of_all}(m.scaleOf(x))", about)
        there, again = zip(*values, strict=True)
        assert there == again
        assert list(there) == sorted(there)
        assert there[0] == about["minimum"]
        assert there[-1] == min(about["maximum"], 640)


def test_numbers_of_a_field_are_what_the_service_takes(reckon):
    about = {"minimum": 10, "maximum": 100, "default": 20}
    texts = ["", "x", "5", "50.5", "1e9"]
    assert reckon("sliders", "x[0].map((text) => m.within(text, x[1]))", [texts, about]) == [20, 20, 10, 50.5, 100]


def test_faces_go_on_from_the_nearest(reckon):
    """As trying all pairs has it."""
    random = np.random.RandomState(3)
    for _ in range(5):
        old, new = (random.uniform(0, 60, (4, 2)).round(1).tolist() for _ in range(2))
        boxes = [[[x, y, x + 90, y + 90] for x, y in corners] for corners in (new, old)]
        found = reckon(
            "motion",
            "m.matched(x[0].map((box) => ({ box })), x[1].map((seen) => ({ seen }))).map((track) => track?.seen)",
            boxes,
        )
        far = np.linalg.norm(np.array(new)[:, None] - np.array(old)[None], axis=2)
        # Nearest first, each once: of all ways to pair them the one whose sorted distances come first.
        best = min(permutations(range(4)), key=lambda way: sorted(far[place, way[place]] for place in range(4)))
        assert found == [boxes[1][place] for place in best]


def test_a_face_that_moves_is_drawn_where_it_should_be_by_now(reckon):
    """At 100 pixels a second, seen every 50 ms and drawn 80 ms after its frame was taken."""
    drawn = reckon(
        "motion",
        """(() => {
            const motion = new m.Motion();
            const box = (time) => [0, 0, 50, 50].map((value) => value + time / 10);
            const face = (time) => ({ box: box(time), landmarks: { nose: [25 + time / 10, 25] } });
            let shown;
            for (let taken = 0; taken < 2000; taken += 50) {
                motion.to([face(taken)], taken);
                for (let time = taken + 40; time <= taken + 80; time += 10) shown = motion.now(time, 10);
            }
            return shown[0];
        })()""",
    )
    assert drawn["box"][0] == pytest.approx((1950 + 80) / 10, abs=6)
    assert drawn["landmarks"]["nose"][0] == pytest.approx(25 + (1950 + 80) / 10, abs=6)


def test_times_in_the_middle(reckon):
    assert reckon("camera", "m.median(x)", [30, 1, 2]) == 2


@pytest.mark.parametrize("name", ["a.jpg", "two words.jpg", 'it\'s; a, "b" \\ $HOME `c`.jpg', "-x.jpg", "é.png"])
def test_a_shell_reads_the_call_as_it_is_meant(reckon, name):
    call = reckon(
        "calls", "m.curl(x)", {"url": "http://h/", "name": name, "parameters": {"align": True}, "keys": False}
    )
    words = call.replace("curl ", "printf '%s\\n' ", 1)
    read = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True).stdout.splitlines()
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert read == ["-F", f"image=@{quoted if set(name) & set(';,') else name}", "-F", "align=true", "http://h/"]
