"""The model repository on disk: where models lie, which versions are live, how a file holds weights. Needs no torch."""
