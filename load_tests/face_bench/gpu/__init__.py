"""The check of a machine with a GPU: exactness, images a second, a soak, and facenet-pytorch on the same card.

`python -m face_bench.gpu`; docs/airgap.md says how it comes to a machine without network.
"""
