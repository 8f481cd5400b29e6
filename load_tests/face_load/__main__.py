"""`python -m face_load load|saturate|soak|perf-data`."""

import sys

from face_load.command import main

if __name__ == "__main__":
    sys.exit(main())
