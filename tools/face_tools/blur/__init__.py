"""Pictures and videos without faces: what lies in and around each face is replaced by a few colours, or by one.

from face_client import FaceClient
from face_pictures.decoding import decode_image
from face_tools.blur import RECALL, blur_faces

with FaceClient() as client:
    data = Path("photo.jpg").read_bytes()
    covered = blur_faces(decode_image(data), client.detect(data, **RECALL), method="mask")
"""

from face_tools.blur.covering import METHODS, SHAPES, blur_faces
from face_tools.blur.selecting import RECALL

__all__ = ["METHODS", "RECALL", "SHAPES", "blur_faces"]
