"""What a kubelet does for a pod of the chart and Podman's `kube play` (4.3) does not.

Volumes: Podman names an emptyDir after itself alone, so that two pods would share it, and makes it on disk for root.
Here each pod has its own, in memory where the chart says so, and of the pod's group. Probes: Podman asks with curl,
which no image of ours has, and not by a port's name. The restart policy is OnFailure: with Always Podman starts an init
container anew when it has done its work. Ports: Podman would open them on the machine, for one pod alone. Everything
else is the Deployment's template as it was rendered.
"""

import copy
import json
import os
import subprocess
from pathlib import Path
from urllib.request import urlopen

import yaml

from tests.containers.podman import Podman, wait_until
from tests.deploy.charts import amount

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class Pod:
    """One replica, by a name of its own, in a network of Podman's where `alias` stands for it too."""

    def __init__(self, podman: Podman, template: dict, name: str, network: str, alias: str, folder: Path) -> None:
        self.name = name
        self._folder = folder / name
        self._folder.mkdir()
        self._podman = podman
        self._network = f"{network}:alias={alias}"
        self._spec = template["spec"]
        (self._server,) = self._spec["containers"]
        self._labels = template["metadata"]["labels"]
        self.container = f"{name}-{self._server['name']}"

    def start(self) -> None:
        spec = copy.deepcopy(self._spec) | {"restartPolicy": "OnFailure"}
        for container in spec["containers"]:
            for asked in (*PROBES, "ports"):
                del container[asked]
        for volume in spec["volumes"]:
            volume["hostPath"] = {"path": str(self._empty(volume["name"], volume.pop("emptyDir"))), "type": "Directory"}
        manifest = self._folder / f"{self.name}.yaml"
        metadata = {"name": self.name, "labels": self._labels}
        manifest.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
        self._podman("kube", "play", "--network", self._network, manifest, timeout=300)

    def _empty(self, name: str, wanted: dict) -> Path:
        """A volume for this pod alone."""
        place = self._folder / name
        place.mkdir()
        if wanted.get("medium") == "Memory":
            options = f"size={amount(wanted['sizeLimit'])}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        os.chown(place, 0, self._spec["securityContext"]["fsGroup"])
        place.chmod(0o2777)
        return place

    @property
    def address(self) -> str:
        """On the pods' network."""
        found = json.loads(self._podman("pod", "inspect", self.name))
        infra = self._podman.inspect(found["InfraContainerID"])
        (network,) = infra["NetworkSettings"]["Networks"].values()
        return network["IPAddress"]

    def passes(self, probe: str) -> bool:
        """Asks as the chart has it."""
        asked = self._server[probe]["httpGet"]
        (port,) = [port["containerPort"] for port in self._server["ports"] if port["name"] == asked["port"]]
        try:
            with urlopen(f"http://{self.address}:{port}{asked['path']}", timeout=self._server[probe]["timeoutSeconds"]):
                return True
        except OSError:
            # An answer that is no success too.
            return False

    def wait_until_ready(self) -> None:
        """As long as the startup probe leaves it."""
        startup = self._server["startupProbe"]
        seconds = startup["periodSeconds"] * startup["failureThreshold"]
        wait_until(lambda: self.passes("startupProbe"), seconds, f"pod {self.name} has started")
        assert self.passes("readinessProbe")
        assert self.passes("livenessProbe")

    def stop(self) -> int:
        """The server, with the pod's own grace. Returns its exit status.

        Not `pod stop`, which ends the first process of the pod before the others, and so kills them.
        """
        grace = self._spec["terminationGracePeriodSeconds"]
        self._podman("stop", "--time", str(grace), self.container, timeout=grace + 60)
        return self._podman.inspect(self.container)["State"]["ExitCode"]

    def remove(self) -> None:
        """Whatever there is of it; more than once if need be."""
        if self._podman.succeeds("pod", "exists", self.name):
            self._podman("pod", "rm", "--force", self.name)
        for place in self._folder.iterdir():
            if place.is_mount():
                subprocess.run(["umount", place], check=True)
