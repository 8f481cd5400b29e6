"""What `make tune` found to be best on this machine: the values of which the configuration `tuned` is made.

They stand in `mtcnn/tuned.json` of a model repository, so that the configuration can be derived again whenever
`config.pbtxt` changes.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from face_repository.files import replace_atomically
from face_repository.layout import CASCADE, RepositoryError

FILE = "tuned.json"


@dataclass(frozen=True)
class Tuned:
    """instances: of `mtcnn`, on each GPU. batch: the images it takes at once; from the model's `max_batch_size` on, as
    many as that. delay_us: so long a smaller batch waits for more. gpu: whether it was measured on one. measured: of
    machine, card, date and numbers, lines for whoever reads the configuration.

    Raises:
        ValueError: a value that cannot be.
    """

    instances: int
    batch: int
    delay_us: int
    gpu: bool
    measured: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, low in (("instances", 1), ("batch", 1), ("delay_us", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < low:
                raise ValueError(f"{name} is {value!r}, must be a whole number from {low} on")
        if type(self.gpu) is not bool:
            raise ValueError(f"gpu is {self.gpu!r}, must be true or false")

    @classmethod
    def read(cls, repository: Path) -> "Tuned | None":
        """None where there is none. Raises RepositoryError where the file is no such file."""
        file = repository / CASCADE / FILE
        try:
            values = json.loads(file.read_text())
            return cls(**{**values, "measured": tuple(map(str, values["measured"]))})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            why = f"{type(error).__name__}: {error}"
            message = f"{file} is not what `make tune` writes ({why}): run that again, or remove the file"
            raise RepositoryError(message) from error

    def write(self, repository: Path) -> None:
        """Raises OSError."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        replace_atomically(repository / CASCADE / FILE, lambda target: target.write(text.encode()))
