"""Packs `model_repository/`, which lies outside of all packages, into the one that lays it out (face_repository)."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithModels(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        # As face_repository.laying_out has them.
        for pattern in ("*/config.pbtxt", "*/1/model.py"):
            for file in Path("model_repository").glob(pattern):
                target = Path(self.build_lib, "face_repository", file)
                self.mkpath(str(target.parent))
                self.copy_file(str(file), str(target))


setup(cmdclass={"build_py": BuildWithModels})
