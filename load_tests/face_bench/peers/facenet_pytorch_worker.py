"""facenet-pytorch in its own environment. Its threads are its own default: one a core."""

import facenet_pytorch
import torch

from face_bench.peers.protocol import serve

MIN_FACE_SIZE = 20


def main() -> None:
    detector = facenet_pytorch.MTCNN(keep_all=True, min_face_size=MIN_FACE_SIZE, device="cpu")
    about = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    serve(about, lambda pixels: detector.detect(pixels, landmarks=True), to_lists)


def to_lists(found: tuple) -> dict[str, list]:
    """Without a face it returns None for the boxes."""
    boxes, probabilities, landmarks = found
    if boxes is None:
        return {"boxes": [], "probabilities": [], "landmarks": []}
    return {
        "boxes": boxes.tolist(),
        "probabilities": probabilities.tolist(),
        "landmarks": landmarks.tolist(),
    }


if __name__ == "__main__":
    main()
