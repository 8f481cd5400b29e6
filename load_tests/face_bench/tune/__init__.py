"""The tuner: which settings of `mtcnn` are fastest on this machine. `make tune`; docs/gpu.md says how it searches."""
