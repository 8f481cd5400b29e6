"""A small set made on the spot, trained on, exported, served and measured: `python -m face_training.rehearsal`."""
