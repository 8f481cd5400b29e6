"""FaceClient and its transports, written by `client/unasync.py` from `face_client._async`: change them there."""
