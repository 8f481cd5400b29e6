"""Where the key to a server's model control comes from: never the command line, which all users of a machine see."""

import os
from pathlib import Path

from face_deploy.errors import DeployError
from face_server.environment import ADMIN_KEY_VARIABLE


def admin_key(file: Path | None) -> str:
    """The content of the file, or else of the environment's variable. Raises DeployError where there is none."""
    try:
        key = os.environ.get(ADMIN_KEY_VARIABLE, "") if file is None else file.read_text().strip()
    except OSError as error:
        raise DeployError(f"cannot read {file}: {error.strerror}") from error
    if not key:
        raise DeployError(
            f"the server's admin key is needed: set {ADMIN_KEY_VARIABLE}, here and where the server is started, "
            "or give --key-file"
        )
    return key
