"""A server that finds in every picture the first few of some faces; how many, the picture's first pixel says."""

import numpy as np

from face_client.messages import Response
from face_pictures.decoding import decode_image


def first_of(boxes, probabilities, landmarks):
    """A fake transport's reply. boxes FP32 [N,4], probabilities [N], landmarks [N,5,2]."""

    def reply(request):
        if "image" in request.inputs:
            pixels = request.inputs["image"][0]
        else:
            pixels = decode_image(request.inputs["encoded_image"][0, 0])
        count = int(pixels[0, 0, 0])
        return Response(
            {
                "boxes": boxes[None, :count],
                "probabilities": probabilities[None, :count],
                "landmarks": landmarks[None, :count],
                "num_faces": np.array([[count]], np.int32),
                "candidates_dropped": np.array([[0]], np.int32),
            }
        )

    return reply
