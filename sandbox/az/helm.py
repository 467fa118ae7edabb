"""The real helm, found on PATH (or as HELM_CLIENT_PATH): charts from the registry, releases in the cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from sandbox.az.errors import AzError
from sandbox.az.kube import Kubeconfig

RELEASE = "azure-arc"
NAMESPACE = "azure-arc-release"

Values = dict[str, Any]


class HelmFailed(AzError):
    """helm ended with an error; the message is its own."""


class Helm:
    """Runs helm against one cluster. A context manager: charts and values lie in a folder that goes with it."""

    def __init__(self, config: Kubeconfig) -> None:
        program = os.environ.get("HELM_CLIENT_PATH") or shutil.which("helm")
        if not program:
            raise AzError(
                "Helm was not found on PATH.", "Run `make toolchain` in the sandbox's project, or set HELM_CLIENT_PATH."
            )
        self._program = program
        self._where = [
            *(["--kubeconfig", config.path] if config.path else []),
            *(["--kube-context", config.context] if config.context else []),
        ]

    def __enter__(self) -> Helm:
        self._folder = tempfile.TemporaryDirectory(prefix="azure-arc-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def release_namespace(self, name: str = RELEASE) -> str | None:
        """Where a release of this name is installed."""
        found = json.loads(self._run("list", "--all", "--all-namespaces", "--output", "json", "--filter", f"^{name}$"))
        return str(found[0]["namespace"]) if found else None

    def pull(self, reference: str) -> Path:
        """Fetch a chart `HOST/PATH/NAME:VERSION` from its registry; returns the folder that it was unpacked to."""
        path, _, version = reference.rpartition(":")
        folder = Path(self._folder.name)
        name = path.rsplit("/", 1)[-1]
        try:
            self._run(
                "pull", f"oci://{path}", "--version", version, "--untar", "--untardir", str(folder), cluster=False
            )
        except HelmFailed as problem:
            raise AzError(
                f"Unable to pull {name} helm chart from the registry '{reference}': {problem.message}"
            ) from problem
        return folder / name

    def upgrade(
        self,
        release: str,
        chart: Path,
        values: Values,
        timeout: int,
        wait: bool = True,
        namespace: str = NAMESPACE,
        install: bool = True,
    ) -> None:
        """Install a release or bring it to these values.

        The real client passes values with --set, where every user of the machine can read a proxy's password. Here they
        go through a file that only we can read; the one place where we would rather be better than alike.
        The schema of the whole API costs helm 1.2 s of CPU to read, so the API server alone checks what it is given.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".json", dir=self._folder.name) as file:
            json.dump(values, file)
            file.flush()
            more = os.environ.get("HELMVALUESPATH", "").strip("'\"")
            self._run(
                "upgrade", release, str(chart), "--namespace", namespace, "--values", file.name,
                *(["--values", more] if more and Path(more).is_file() else []),
                *(["--install", "--create-namespace"] if install else []),
                *(["--wait", "--timeout", f"{timeout}s"] if wait else []),
                "--disable-openapi-validation", "--output", "json",
            )  # fmt: skip

    def values(self, namespace: str, release: str = RELEASE) -> Values:
        """What an installed release was given."""
        found: Values | None = json.loads(
            self._run("get", "values", release, "--namespace", namespace, "--output", "json")
        )
        return found or {}

    def uninstall(self, release: str, namespace: str, hooks: bool = True) -> None:
        """Delete a release; one that is gone is no error."""
        try:
            self._run("uninstall", release, "--namespace", namespace, *([] if hooks else ["--no-hooks"]))
        except HelmFailed as problem:
            if "not found" not in problem.message:
                raise

    def _run(self, *args: str, cluster: bool = True) -> str:
        # helm's own folders go with ours, so that nothing is written beside the sandbox and no run meets another.
        homes = {f"HELM_{name}_HOME": self._folder.name for name in ("CACHE", "CONFIG", "DATA")}
        command = [self._program, *args, *(self._where if cluster else [])]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **homes},
        )
        try:
            out, error = process.communicate()
        except BaseException:
            # Asked to stop, helm leaves a release that the next run can go on from.
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        if process.returncode != 0:
            raise HelmFailed(error.strip() or f"helm ended with exit code {process.returncode}.")
        return out


def nested(flat: dict[str, Any]) -> Values:
    """`{"global.location": "eastus"}` as a chart's values, typed as `--set` types them: true and false are booleans."""
    values: Values = {}
    for name, value in flat.items():
        *parents, last = name.split(".")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
    return values


def flattened(values: Values, prefix: str = "") -> dict[str, Any]:
    """The inverse of `nested`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
