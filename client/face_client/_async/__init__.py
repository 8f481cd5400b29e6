"""The client's source: what is written here for asyncio, `client/unasync.py` rewrites into `face_client._sync`."""
