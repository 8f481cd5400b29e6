"""`python -m face_bench`."""

import sys

from face_bench.command import main

if __name__ == "__main__":
    sys.exit(main())
