"""A stand-in for the module that Triton puts into its Python processes."""

import sys
import types
from typing import Any


class TritonError(Exception):
    INVALID_ARG, UNAVAILABLE, INTERNAL, CANCELLED = range(4)


def _stand_in() -> types.ModuleType:
    module: Any = types.ModuleType("triton_python_backend_utils")
    module.TritonError = TritonError
    return module


sys.modules.setdefault("triton_python_backend_utils", _stand_in())
