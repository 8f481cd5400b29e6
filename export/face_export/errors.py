"""What an export can fail with.

    ExportError
    ├── WeightsError        a file that cannot be read, or tensors that do not fit the network
    │   └── UntrustedWeights    a pickle whose SHA-256 is not pinned, and nobody said to trust it
    ├── DownloadError       weights could not be fetched, or arrived with the wrong checksum
    ├── ParityError         the exported network does not answer like the one it came from
    └── PrecisionError      half precision changes what is found in somebody's photos, or that cannot be told

Each message is one sentence for the person at the command line, without a traceback.
"""


class ExportError(Exception):
    """Base of everything that `face_export` raises on purpose."""


class WeightsError(ExportError):
    """Weights are missing, unreadable, or have another shape than the network wants."""


class UntrustedWeights(WeightsError):
    """Reading the file could run code from it, and its SHA-256 is not one we know."""


class DownloadError(ExportError):
    """Weights could not be downloaded whole."""


class ParityError(ExportError):
    """TorchScript and eager network disagree; nothing is written."""


class PrecisionError(ExportError):
    """Half precision is not shown to find the same faces; nothing is written."""
