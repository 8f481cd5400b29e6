"""`python -m face_scaling simulate|measure`."""

import sys

from face_scaling.command import main

if __name__ == "__main__":
    sys.exit(main())
