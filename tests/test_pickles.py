"""Unpickling runs what a file's author wrote into it: where that may happen at all, and that nothing else does it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("batch", "cascade", "client", "export", "load_tests", "model_repository", "server", "training")

# Behind `require_trust`: a pinned SHA-256, or a person's --trust.
TRUSTED = {
    # numba's form of machine code, which is code anyway: out of a folder that this user alone can write.
    "cascade/face_cascade/machine_code.py": {"pickle.loads"},
    "export/face_export/readers/keras_list.py": {"joblib.load"},
    "export/face_export/readers/sandberg.py": {"np.load"},
    # From its own parent process, which made it.
    "export/face_export/torchscript.py": {"pickle.load"},
}

# Names a reader goes by → the argument, and its value, that keeps it from unpickling.
READERS = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    **dict.fromkeys(("pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load"), ("", None)),
    **dict.fromkeys(("dill.load", "cloudpickle.load", "pd.read_pickle", "shelve.open", "marshal.loads"), ("", None)),
}


def unpickling(path):
    """The readers that a file calls without what keeps them from it."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name in READERS:
            safe, value = READERS[name]
            given = {keyword.arg: keyword.value for keyword in node.keywords}.get(safe)
            if not (isinstance(given, ast.Constant) and given.value is value):
                yield name
        if isinstance(node, ast.ImportFrom) and node.module in ("pickle", "joblib", "dill", "cloudpickle", "marshal"):
            yield f"from {node.module}"


def sources():
    return [path for folder in FOLDERS if (ROOT / folder).is_dir() for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_else_is_unpickled(path):
    assert set(unpickling(path)) == TRUSTED.get(str(path.relative_to(ROOT)), set())


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("torch.load(f)", ["torch.load"]),
        ("torch.load(f, weights_only=False)", ["torch.load"]),
        ("torch.load(f, weights_only=True)", []),
        ("np.load(f)", ["np.load"]),
        ("np.load(f, allow_pickle=False)", []),
        ("joblib.load(f)", ["joblib.load"]),
        ("from pickle import loads", ["from pickle"]),
    ],
)
def test_what_is_found(code, found, tmp_path):
    (tmp_path / "x.py").write_text(code)
    assert list(unpickling(tmp_path / "x.py")) == found
