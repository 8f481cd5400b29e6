"""Raw requests to Triton."""

import time

import numpy as np
import tritonclient.grpc as grpc
from tritonclient.utils import np_to_triton_dtype

OUTPUTS = ("boxes", "probabilities", "landmarks", "num_faces")


def tensor(name, array):
    tensor = grpc.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array)


def raw_image(image):
    return tensor("image", image[None])


def encoded_image(data):
    return tensor("encoded_image", np.array([[data]], dtype=object))


def outputs(*names):
    return [grpc.InferRequestedOutput(name) for name in names or OUTPUTS]


def counts(client, model):
    """(inferences, executions) of an idle model since it was loaded.

    Triton counts an execution shortly after it has answered: read until nothing changes.
    """
    latest = None
    while True:
        stats = client.get_inference_statistics(model).model_stats[0]
        before, latest = latest, (stats.inference_count, stats.execution_count)
        if latest == before:
            return np.array(latest)
        time.sleep(0.2)
