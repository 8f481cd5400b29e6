"""`python -m face_bench.gpu`."""

import sys

if __name__ == "__main__":
    # Not above: the processes of the clients import this module again, and need no torch.
    from face_bench.gpu.command import main

    sys.exit(main())
