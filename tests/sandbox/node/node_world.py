"""What the tests of the nodes share: objects to make, and a way into the clusters."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from sandbox.home import Home
from sandbox.supervisor import Supervisor

Json = dict[str, Any]
AGENT = "mcr.microsoft.com/azurearck8s/agent:1.36.1"


def dead(pid: int) -> bool:
    """Whether a process is gone, or waits only for somebody to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def container(script: str, **more: Any) -> Json:
    """A container that runs a shell script."""
    return {"name": "main", "image": AGENT, "command": ["/bin/sh", "-c", script], **more}


def pod(name: str, *containers: Json, **spec: Any) -> Json:
    """A pod; with no other word its containers are not restarted."""
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 3, "containers": list(containers), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


class Clusters:
    """The way into the clusters: kubectl in one namespace of one cluster."""

    def __init__(self, home: Home, supervisor: Supervisor, context: str = "east", namespace: str = "default") -> None:
        self.home = home
        self.supervisor = supervisor
        self.context = context
        self.namespace = namespace

    def at(self, context: str | None = None, namespace: str | None = None) -> Clusters:
        """The same in another cluster or namespace, which is made."""
        other = Clusters(self.home, self.supervisor, context or self.context, namespace or self.namespace)
        if namespace:
            other.run("create", "namespace", namespace)
        return other

    @property
    def command(self) -> list[str]:
        """kubectl and its first arguments."""
        kubeconfig = str(self.home.kubeconfig)
        kubectl = str(Home.tool("kubectl"))
        return [kubectl, "--kubeconfig", kubeconfig, "--context", self.context, "--namespace", self.namespace]

    def run(self, *words: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl."""
        done = subprocess.run([*self.command, *words], input=stdin, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, f"{words}: {done.stderr}"
        return done

    def apply(self, *objects: Json) -> None:
        """Make objects."""
        self.run("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def get(self, *words: str) -> Json:
        """One object, or a list."""
        return dict(json.loads(self.run("get", *words, "-o", "json").stdout))

    def logs(self, *words: str) -> str:
        """A log."""
        return self.run("logs", *words).stdout

    def wait(self, what: str, condition: str) -> None:
        """Wait until a condition of an object holds."""
        self.run("wait", what, f"--for={condition}", "--timeout=40s")

    def finish(self, *objects: Json) -> Json:
        """Make objects, wait for the end of the first, a pod, and return that."""
        self.apply(*objects)
        name = objects[0]["metadata"]["name"]
        self.wait(f"pod/{name}", "jsonpath={.status.containerStatuses[0].state.terminated}")
        return self.get("pod", name)

    def events(self, name: str) -> dict[str, str]:
        """The messages of a pod's events by reason."""
        found = self.get("events", f"--field-selector=involvedObject.name={name}")
        return {event["reason"]: event["message"] for event in found["items"]}
