"""The peers: other people's detectors, each in a virtual environment and a process of its own."""
