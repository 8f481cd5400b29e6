"""The bundle for machines without network: what is packed, and what installing makes of it."""

import importlib.util
import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.deploy.expressions import DEPLOY

BUNDLE = DEPLOY / "bundle"


def load(name):
    spec = importlib.util.spec_from_file_location(f"bundle_{name}", BUNDLE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pack, install = load("pack"), load("install")


def test_of_a_wheel_only_what_a_server_reads_is_packed(tmp_path):
    stubs = f"{pack._PYTRITON}/python_backend_stubs"
    kept = ["pytriton/__init__.py", f"{stubs}/3.12/stub", "nvidia_pytriton.libs/libb.so", "a.dist-info/METADATA"]
    left = ["pytriton/client/client.py", f"{stubs}/3.13/stub", "nvidia_pytriton.libs/libpython3-4.13.so"]
    left += ["a.dist-info/RECORD", "pytriton/__init__.pyi"]
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        for name in kept + left:
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if name.endswith("stub") else 0o100644) << 16
            archive.writestr(info, "content")
    pack.unpack(tmp_path / "a.whl", tmp_path / "site", pack.KEPT["nvidia-pytriton"])
    files = {str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert files == set(kept)
    assert (tmp_path / "site" / stubs / "3.12" / "stub").stat().st_mode & 0o111
    assert not (tmp_path / "site" / "pytriton" / "__init__.py").stat().st_mode & 0o111


@pytest.mark.parametrize("bytes_of_a_part", [0, pack.MOST_PART_BYTES + 1])
def test_no_part_is_larger_than_can_be_carried(bytes_of_a_part, tmp_path):
    with pytest.raises(pack.PackError, match="--part is"):
        pack.pack(tmp_path, [], tmp_path, None, bytes_of_a_part)


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A small bundle in parts of 300 bytes, for the Python that runs this."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    monkeypatch.setattr(pack, "PYTHON", running)
    files = {
        "site/rich/__init__.py": "__version__ = 'of the bundle'",
        "site/triton_faces_tools-0.1.0.dist-info/METADATA": "Name: triton-faces-tools\nVersion: 0.1.0\n",
        "tree/tools/face_command/__init__.py": "",
        "tree/tools/face_command/main.py": "import rich, psutil\ndef main(): print(rich.__version__, psutil.__name__)",
        "tree/load_tests/face_bench/tune.py": "import sys; print('tuned', *sys.argv[1:])",
        "tree/model_repository/pnet/1/model.pt": "network",
        f"python/libpython{running}.so.1.0": "a library",
        "photos/a.jpg": "photo",
    }
    for name, text in files.items():
        (tmp_path / "staged" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "staged" / name).write_text(text)
    pack.compress(tmp_path / "staged", tmp_path / "archive")
    (tmp_path / "bundle").mkdir()
    parts = pack.write_parts(tmp_path / "archive", tmp_path / "bundle", 300)
    assert len(parts) > 1
    assert all(part.stat().st_size <= 300 for part in parts)
    monkeypatch.setattr(install, "HERE", tmp_path / "bundle")
    monkeypatch.setattr(install, "NEEDED", ("psutil", "no_such_package"))
    return tmp_path / "bundle"


def manifest(bundle):
    return json.loads((bundle / "manifest.json").read_text())


def test_the_manifest_names_every_part_in_order(bundle, tmp_path):
    assert [part["name"] for part in manifest(bundle)["parts"]] == sorted(p.name for p in bundle.glob("part.*"))
    assert install.read_parts(manifest(bundle)) == (tmp_path / "archive").read_bytes()


def test_a_damaged_part_is_not_installed(bundle):
    part = bundle / "part.01"
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match=r"part\.01 is damaged"):
        install.read_parts(manifest(bundle))


def test_what_the_bundle_brings_wins_over_what_the_machine_has(bundle, tmp_path, capfd):
    install.install(tmp_path / "there", None, manifest(bundle))
    told = capfd.readouterr().out
    assert "\npsutil " in told
    assert "missing: no_such_package cannot be imported" in told
    done = subprocess.run([tmp_path / "there/venv/bin/faces"], capture_output=True, text=True, check=True)
    # `rich` is the bundle's although this environment has one; `psutil` is this environment's.
    assert done.stdout == "of the bundle psutil\n"
    assert (tmp_path / "there/photos/a.jpg").read_text() == "photo"
    done = subprocess.run([tmp_path / "there/venv/bin/tune", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout == "tuned --help\n"


def test_a_checkout_runs_its_own_code_and_is_given_the_networks_that_it_lacks(bundle, tmp_path, capfd):
    tree = tmp_path / "checkout"
    (tree / "tools/face_command").mkdir(parents=True)
    (tree / "tools/face_command/main.py").write_text("def main(): print('of the checkout')")
    install.install(tmp_path / "there", tree, manifest(bundle))
    assert f"code: {tree}" in capfd.readouterr().out
    done = subprocess.run([tmp_path / "there/venv/bin/faces"], capture_output=True, text=True, check=True)
    assert done.stdout == "of the checkout\n"
    assert (tree / "model_repository/pnet/1/model.pt").read_text() == "network"


def test_the_carried_python_library_is_for_machines_without_one(tmp_path, monkeypatch, capsys):
    def absent(*_, **__):
        raise OSError

    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: str(tmp_path))
    monkeypatch.setattr(install.ctypes, "CDLL", absent)
    assert install.libpython(tmp_path / "python") is None
    assert "missing: libpython" in capsys.readouterr().out
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / name).touch()
    assert install.libpython(tmp_path / "python") == tmp_path / "python"
    (tmp_path / name).touch()
    assert install.libpython(tmp_path / "python") is None


def test_the_script_hands_on_what_it_is_told(tmp_path):
    for name in ("install.sh", "install.py"):
        (tmp_path / name).write_bytes((BUNDLE / name).read_bytes())
    (tmp_path / "manifest.json").write_text('{"python": "2.7", "parts": []}')
    command = ["sh", str(tmp_path / "install.sh"), str(tmp_path / "there"), sys.executable, "--tree", "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("missing: the bundle is for Python 2.7")
    assert Path(sys.executable).name in done.stderr
