"""Runs `az connectedk8s`, which alone puts the agents into a cluster.

Each call gets a folder of its own, readable by its owner alone and removed after: a copy of the Azure configuration
(processes side by side corrupt a shared one), one context of the kubeconfig, and the secret values as files, which `az`
reads itself where an argument is `@FILE`. So no secret stands in the argument list of `az`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from arcgateway import arm, az_versions, connect_flags, login, workspace
from arcgateway.az_failures import LOGIN_EXPIRED, NOT_LOGGED_IN, classify
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, GatewayId
from arcgateway.kube import NAMESPACE, RELEASE, RELEASE_NAMESPACE
from arcgateway.kubeconfig import Kubeconfig
from arcgateway.lifeline import Lifeline, in_own_group, stop_group
from arcgateway.platforms import HERE
from arcgateway.proxy import ProxySettings, ProxyUrl, no_proxy
from arcgateway.redaction import Redactor

T = TypeVar("T")

#: Larger files in the Azure configuration are logs and caches of no use to one call.
_LARGEST_COPY = 4_000_000

_OUTPUT_LINES = 400


@dataclass(frozen=True)
class Secret:
    """An argument that travels as `@FILE`."""

    value: str


@dataclass(frozen=True)
class Content:
    """An argument that is the path of a file with this content."""

    value: str


Argument = str | Secret | Content


@dataclass(frozen=True)
class Change:
    """What a `connect` or `update` sets; what is None or empty stays as it is.

    Attributes:
        gateway: the gateway to associate with.
        disable_gateway: end the association.
        proxy: the agents' proxies, skip range and certificate.
        disable_proxy: the agents go without a proxy from now on.
        tags: the resource's tags, all of them.
        flags: what further flags are to say, by variable (`connect_flags.FLAGS`).
        configuration: plain configuration settings, by `FEATURE.SETTING`; with the protected ones, all of them.
        protected: protected ones, likewise; secrets.
    """

    gateway: GatewayId | None = None
    disable_gateway: bool = False
    proxy: ProxySettings = field(default_factory=ProxySettings)
    disable_proxy: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    flags: connect_flags.Values = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)
    protected: Mapping[str, str] = field(default_factory=dict, repr=False)


class AzureCli:
    """The client, bound to one way of reaching Azure and one cluster.

    Args:
        env: the environment to run in; the proxies for its own traffic are put into it.
        traffic: through which proxies `az` and helm go.
        kubeconfig: the cluster's context, None where a call needs no cluster.
        lifeline: what ends the client with this process.
        redact: applied to every line shown or kept.
        progress: takes one line at a time.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        traffic: ProxySettings,
        kubeconfig: Kubeconfig | None,
        lifeline: Lifeline,
        redact: Redactor,
        progress: Callable[[str], None],
    ) -> None:
        self._traffic = traffic
        self._env = traffic.environment(env)
        self._kubeconfig = kubeconfig
        self._lifeline = lifeline
        self._redact = redact
        self._progress = progress

    def connect(self, cluster: ConnectedClusterId, location: str, change: Change, seconds: float) -> None:
        """`az connectedk8s connect`: the cluster's resource, its agents and its association, in one go."""
        more: list[Argument] = ["--location", location] if location else []
        flags = _flags(change.flags, lambda flag: flag.connect)
        self.require_versions(seconds)
        self._on_cluster("connect", cluster, [*more, *_arguments(change), *flags, "--yes"], seconds)

    def update(self, cluster: ConnectedClusterId, change: Change, seconds: float) -> None:
        """`az connectedk8s update` with what the change names, and nothing else."""
        flags = _flags(change.flags, lambda flag: flag.update)
        self.require_versions(seconds)
        self._on_cluster("update", cluster, [*_arguments(change), *flags, "--yes"], seconds)

    def delete(self, cluster: ConnectedClusterId, seconds: float, *, force: bool = False) -> None:
        """`az connectedk8s delete`: the agents out of the cluster, and its resource.

        Args:
            cluster: which one.
            seconds: after which it is stopped.
            force: for agents that do not say any more which cluster they belong to.
        """
        self._on_cluster("delete", cluster, [*(["--force"] if force else []), "--yes"], seconds)

    def uninstall(self, seconds: float) -> None:
        """Take the agents out of a cluster whose resource is gone, which `delete` refuses to do then.

        Raises:
            Failure: there is no helm, or it failed.
        """
        program = self._helm()
        if program is None:
            raise Failure(
                "the resource of the cluster is gone from Azure, its agents are still in the cluster, and there is no "
                "helm here to remove them",
                f"run `helm uninstall {RELEASE} --namespace {RELEASE_NAMESPACE}` and `kubectl delete namespace "
                f"{NAMESPACE}`, or put helm on PATH and run again",
            )
        words = ["uninstall", RELEASE, "--namespace", RELEASE_NAMESPACE, "--ignore-not-found", "--wait"]
        with _workspace(self._env, self._kubeconfig) as (folder, env):
            homes = {f"HELM_{name}_HOME": str(folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
            self._supervised("helm uninstall", HERE.command(program, words), {**env, **homes}, seconds)

    def _helm(self) -> str | None:
        """Where helm is: as the client is told it, on PATH, or where the client has put its own."""
        told = self._env.get("HELM_CLIENT_PATH") or shutil.which("helm", path=self._env.get("PATH"))
        if told:
            return told
        homes = Path(self._env.get("HOME") or self._env.get("USERPROFILE") or Path.home()) / ".azure" / "helm"
        return next((str(path) for path in sorted(homes.glob("*/*/helm*"), reverse=True) if path.is_file()), None)

    def require_versions(self, seconds: float) -> None:
        """See that the client is new enough for what it is going to be asked.

        Raises:
            Failure: it is not, or it is not there.
        """
        az_versions.require(
            self._program(), self._env, lambda: self.run(["version", "--output", "json"], min(seconds, 120))
        )

    def show(self, cluster: ConnectedClusterId, seconds: float = 120) -> dict[str, Any]:
        """`az connectedk8s show`, as Azure's JSON."""
        arguments = ["connectedk8s", "show", *_identity(cluster), "--output", "json"]
        shown: dict[str, Any] = json.loads(self.run(arguments, seconds))
        return shown

    def access_token(self, resource: str) -> dict[str, Any]:
        """`az account get-access-token` for an audience."""
        words = ["account", "get-access-token", "--resource", resource, "--output", "json"]
        token: dict[str, Any] = json.loads(self.run(words, 120))
        return token

    def _on_cluster(
        self, verb: str, cluster: ConnectedClusterId, arguments: Sequence[Argument], seconds: float
    ) -> None:
        context: list[Argument] = ["--kube-context", self._kubeconfig.context] if self._kubeconfig else []
        self.run(["connectedk8s", verb, *_identity(cluster), *context, *arguments], seconds)

    def run(self, arguments: Sequence[Argument], seconds: float) -> str:
        """Run `az` once and return what it wrote to standard output.

        Args:
            arguments: its words and values.
            seconds: after which it is stopped, with all that it has started.

        Raises:
            Failure: it could not be started, did not end in time, or failed; `transient` where trying again may help.
        """
        program = self._program()
        command = "az " + " ".join(word for word in arguments[:2] if isinstance(word, str))
        with _workspace(self._env, self._kubeconfig) as (folder, env):
            argv = HERE.command(program, _materialised(folder, arguments))
            try:
                return self._supervised(command, argv, env, seconds)
            except Failure as failure:
                unknown = any(cause in failure.cause for cause in (NOT_LOGGED_IN, LOGIN_EXPIRED))
                if not unknown or not self._log_in(program, folder, env):
                    raise
            return self._supervised(command, argv, env, seconds)

    def _program(self) -> str:
        program = shutil.which("az", path=self._env.get("PATH"))
        if program is None:
            raise Failure("the Azure CLI (az) is not on PATH", "install it, and `az extension add --name connectedk8s`")
        return program

    def _log_in(self, program: str, folder: Path, env: dict[str, str]) -> bool:
        """Log the identity of the environment in, into this call's configuration alone.

        With a pipeline's token that is asked for now: `az` keeps it, and cannot renew its login once it has expired.
        """
        client = login.principal(env)
        if not client:
            return False
        self._progress("az is not logged in: logging the environment's service principal in for this call")
        secret, tenant = (env.get(f"ARM_{name}") or env.get(f"AZURE_{name}") for name in ("CLIENT_SECRET", "TENANT_ID"))
        assert tenant
        credential: list[Argument] = (
            ["--password", Secret(secret)]
            if secret
            else ["--federated-token", Secret(login.federated_token(env, partial(arm.session, self._traffic, env)))]
        )
        words: list[Argument] = [
            "login",
            "--service-principal",
            "--username",
            client,
            "--tenant",
            tenant,
            *credential,
            "--output",
            "none",
        ]
        self._supervised("az login", HERE.command(program, _materialised(folder, words)), env, 120)
        return True

    def _supervised(self, command: str, argv: list[str], env: dict[str, str], seconds: float) -> str:
        started = time.monotonic()
        process = subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **in_own_group(),  # type: ignore[call-overload]
        )
        self._lifeline.started(process)
        out: list[bytes] = []
        said: deque[str] = deque(maxlen=_OUTPUT_LINES)
        readers = [
            threading.Thread(target=lambda: out.append(process.stdout.read()), daemon=True),
            threading.Thread(target=self._relay, args=(process.stderr, said), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            stop_group(process, grace=5)
            raise Failure(
                f"{command} did not end within {seconds:.0f} s and was stopped",
                "look at the cluster's events (kubectl get events -n azure-arc), then run again: it goes on from there",
            ) from None
        except BaseException:
            stop_group(process, grace=5)
            raise
        finally:
            self._lifeline.finished(process)
            for reader in readers:
                reader.join(timeout=2)
        answer = b"".join(out).decode(errors="replace")
        if status != 0:
            raise classify(command, status, "\n".join(said) + "\n" + self._redact(answer))
        self._progress(f"{command} done in {time.monotonic() - started:.1f} s")
        return answer

    def _relay(self, stream: Iterable[bytes], said: deque[str]) -> None:
        for line in stream:
            text = self._redact(line.decode(errors="replace").rstrip())
            if text:
                said.append(text)
                self._progress(f"az: {text}")


def with_retries(
    attempt: Callable[[float], T],
    deadline: float,
    progress: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    patience: float | None = None,
) -> T:
    """Run an attempt until it succeeds, fails for good, or the deadline is too near for another.

    Waits 2, 4, 8, ... up to 60 s with jitter, or as long as the other side asked for.

    Args:
        attempt: given the seconds that are left; raises `Failure`.
        deadline: on the clock of `time.monotonic`.
        progress: told of every failure that will be tried again.
        sleep: how to wait.
        patience: seconds after which a failure is final though the deadline is further off, unless the other side has
            asked to wait.
    """
    wait, impatient = 2.0, time.monotonic() + (patience if patience is not None else float("inf"))
    while True:
        try:
            return attempt(deadline - time.monotonic())
        except Failure as failure:
            if not failure.transient:
                raise
            pause = max(failure.retry_after or 0.0, wait * random.uniform(0.75, 1.25))  # noqa: S311
            left = (deadline if failure.retry_after else min(deadline, impatient)) - time.monotonic()
            if pause >= left:
                raise Failure(f"{failure.cause}, and the time for trying again is over", failure.mend) from failure
            progress(f"{failure.cause}; trying again in {pause:.0f} s, for {left:.0f} s more")
            sleep(pause)
            wait = min(wait * 2, 60.0)


def _identity(cluster: ConnectedClusterId) -> list[str]:
    return ["--name", cluster.name, "--resource-group", cluster.resource_group, "--subscription", cluster.subscription]


def _arguments(change: Change) -> Iterator[Argument]:
    proxy = change.proxy
    if change.gateway:
        yield from ("--gateway-resource-id", str(change.gateway))
    if change.disable_gateway:
        yield "--disable-gateway"
    for flag, url in (("--proxy-https", proxy.https), ("--proxy-http", proxy.http)):
        if url is not None:
            yield from (flag, _proxy_argument(url))
    if proxy.skip:
        yield from ("--proxy-skip-range", no_proxy(proxy.skip))
    if proxy.certificate:
        yield from ("--proxy-cert", Content(proxy.certificate))
    if change.disable_proxy:
        yield "--disable-proxy"
    if change.tags:
        yield "--tags"
        yield from (_literal(pair) for pair in _pairs(change.tags))
    if change.configuration:
        yield "--configuration-settings"
        yield from (_literal(pair) for pair in _pairs(change.configuration))
    if change.protected:
        yield "--config-protected-settings"
        yield from map(Secret, _pairs(change.protected))


def _flags(
    values: connect_flags.Values, arguments: Callable[[connect_flags.Flag], Callable[[str], Sequence[str]]]
) -> Iterator[Argument]:
    for flag in connect_flags.FLAGS:
        if flag.variable in values:
            yield from arguments(flag)(values[flag.variable])


def _pairs(values: Mapping[str, str]) -> Iterator[str]:
    return (f"{name}={value}" for name, value in sorted(values.items()))


def _literal(word: str) -> Argument:
    """A word that arrives as it is: where `az` would take it for the name of a file, by a file that holds it."""
    before, equals, after = word.partition("=")
    return Secret(word) if (after if equals else before).startswith("@") else word


def _proxy_argument(url: ProxyUrl) -> Argument:
    return url.url if url.username is None else Secret(url.url)


def _materialised(folder: Path, arguments: Iterable[Argument]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, str):
            yield argument
            continue
        handle, path = tempfile.mkstemp(dir=folder, prefix="value-")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(argument.value)
        yield f"@{path}" if isinstance(argument, Secret) else path


@contextmanager
def _workspace(base: Mapping[str, str], kubeconfig: Kubeconfig | None) -> Iterator[tuple[Path, dict[str, str]]]:
    with workspace.folder() as folder:
        env = dict(base)
        configuration = folder / "azure"
        source = Path(env.get("AZURE_CONFIG_DIR") or Path(env.get("HOME") or Path.home()) / ".azure")
        _copy_configuration(source, configuration)
        env["AZURE_CONFIG_DIR"] = str(configuration)
        env.setdefault("AZURE_EXTENSION_DIR", str(source / "cliextensions"))
        if kubeconfig is not None:
            env["KUBECONFIG"] = str(kubeconfig.write(folder))
        yield folder, env


def _copy_configuration(source: Path, target: Path) -> None:
    """Copy the login and the settings; extensions are reached where they are, logs and caches are left out."""
    target.mkdir(mode=0o700)
    if not source.is_dir():
        return
    for path in source.iterdir():
        if path.is_file() and path.stat().st_size <= _LARGEST_COPY:
            shutil.copy2(path, target / path.name)
