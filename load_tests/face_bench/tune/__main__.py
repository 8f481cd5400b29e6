"""`python -m face_bench.tune`."""

import sys

if __name__ == "__main__":
    # Not above: the processes of the clients import this module again.
    from face_bench.tune.command import main

    sys.exit(main())
