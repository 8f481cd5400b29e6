"""The source of Gallery: what is written here for asyncio, `client/unasync.py` rewrites into `face_gallery._sync`."""
