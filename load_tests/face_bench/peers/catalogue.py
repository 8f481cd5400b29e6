"""Who the peers are."""

from dataclasses import dataclass

FACENET_PYTORCH = "facenet-pytorch"
IPAZC_MTCNN = "ipazc mtcnn"


@dataclass(frozen=True)
class Peer:
    """folder: of its environment. requirements: exact, so that a run can be repeated. worker: module to run there."""

    name: str
    folder: str
    requirements: tuple[str, ...]
    worker: str


PEERS = (
    # Brings the torch it pins (2.2), with CUDA unless pip is shown an index of CPU builds: about 5 GB.
    Peer(
        FACENET_PYTORCH,
        "facenet-pytorch",
        ("facenet-pytorch==2.6.0", "numpy<2"),
        "face_bench.peers.facenet_pytorch_worker",
    ),
    Peer(
        IPAZC_MTCNN,
        "mtcnn",
        ("mtcnn==1.0.0", "tensorflow-cpu==2.21.0"),
        "face_bench.peers.ipazc_worker",
    ),
)
