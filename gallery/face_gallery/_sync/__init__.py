"""Gallery, written by `client/unasync.py` from `face_gallery._async`: change it there."""
