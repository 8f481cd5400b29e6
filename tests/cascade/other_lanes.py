"""Runs pytest with the kernels as they are made for the other kind of processor: in vectors of sixteen values where
this one has no AVX-512, in vectors of eight where it has.

LLVM takes apart vectors that are too long for the processor. So what is computed, and where it is written, is seen on
any machine; how fast is not.
"""

import os
import sys
import tempfile

import pytest
from llvmlite import binding

from face_cascade import code_cache


def main(arguments):
    features = binding.get_host_cpu_features()
    features["avx512f"] = not features.get("avx512f")
    real, binding.get_host_cpu_features = binding.get_host_cpu_features, lambda: features
    from face_cascade import vectors  # noqa: F401 (it looks once, when it is imported)

    # numba is to know what the processor is.
    binding.get_host_cpu_features = real
    with tempfile.TemporaryDirectory() as folder:
        # By its key, kept code is that of this processor.
        os.environ[code_cache.VARIABLE] = folder
        return pytest.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
