"""New instances of a model in the place of dead ones, while the others go on.

Triton's model control takes a configuration along. One that differs in its instances only makes Triton end those that
are no longer in it and start those that are new; the rest serve all the while. Triton knows an instance by what its
group says, apart from name and count: groups that must be told apart differ in a priority, which only Triton's rate
limiter would read.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from face_server.http_api import ask

Group = dict[str, Any]


def without(groups: list[Group], dead: Collection[str]) -> list[Group]:
    """The groups that have none of the dead instances."""
    return [group for group in groups if not instances(group) & set(dead)]


def renewed(groups: list[Group], dead: Collection[str], model: str) -> list[Group]:
    """The same number of instances, with new groups for those that have dead ones."""
    kept = without(groups, dead)
    number = 1 + max(_number(group) for group in groups)
    lost = [group for group in groups if group not in kept]
    return kept + [
        {**group, "name": f"{model}_{number + i}", "rate_limiter": {"priority": number + i}}
        for i, group in enumerate(lost)
    ]


def instances(group: Group) -> set[str]:
    """The names that Triton gives them."""
    return {f"{group['name']}_{i}" for i in range(group["count"])}


def _number(group: Group) -> int:
    """The highest that its name or its priority has."""
    digits = re.search(r"\d+$", group["name"])
    return max(int(digits[0]) if digits else 0, group.get("rate_limiter", {}).get("priority", 0))


@dataclass(frozen=True)
class ModelControl:
    """The models of a running server. All methods raise NoAnswer."""

    url: str
    key: str

    def config(self, model: str) -> Mapping[str, Any]:
        """The configuration that a model runs with."""
        return dict(ask(f"{self.url}/v2/models/{model}/config"))

    def set_groups(self, model: str, groups: list[Group], seconds: float) -> None:
        """Returns when the new instances are ready and the others gone. Raises TooLate after so many seconds."""
        # A string in the JSON of the request.
        config = json.dumps({**self.config(model), "instance_group": groups})
        load = {"parameters": {"config": config}}
        ask(f"{self.url}/v2/repository/models/{model}/load", load, self.key, seconds)

    def answered(self, model: str) -> int:
        """Requests that a model has answered well."""
        statistics = ask(f"{self.url}/v2/models/{model}/stats")["model_stats"]
        return sum(version["inference_stats"]["success"]["count"] for version in statistics)
