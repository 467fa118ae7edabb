"""Pulumi's Automation API, as a fleet uses it: each stack by an engine of its own, in a thread of ours.

Its inline programs would share this process, which several at once do not bear (pulumi/pulumi#7782), and its use from a
loop of asynchronous calls blocks (pulumi/pulumi#17776). So the program is local, and what runs side by side are
processes.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pulumi.automation import (
    CommandError,
    CommandResult,
    ConcurrentUpdateError,
    LocalWorkspace,
    Stack,
    StackAlreadyExistsError,
    StackSummary,
)
from pulumi.automation._stack import StackInitMode

from arcgateway.errors import Failure
from arcgateway.fleet import locks
from arcgateway.fleet.engines import Engines
from arcgateway.fleet.partition import FleetStack
from arcgateway.fleet.tally import Tally, Trouble
from arcgateway.fleet.workshop import NAMESPACE, Workshop, encryption_of
from arcgateway.status import HOLDERS

State = Literal["unchanged", "changed", "failed", "refused", "locked", "cancelled", "waiting", "skipped", "left over"]

_STACK_TYPE = "pulumi:pulumi:Stack"

#: The ids of what Azure's provider refuses to make where it is there already, by type and inputs.
_TAKEN_OVER = {
    "azure-native:hybridcompute:Gateway": "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}/providers/"
    "Microsoft.HybridCompute/gateways/{gatewayName}",
    "azure-native:resources:ResourceGroup": "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}",
}


@dataclass(frozen=True)
class Outcome:
    """How one piece of work on a stack ended.

    Attributes:
        stack: which.
        state: `unchanged` and `changed` (in a plan: would be changed) are well; `refused` by the policy pack; `locked`
            by another run; `waiting` for a gateway that is not there yet; `skipped` as the run had been stopped; `left
            over` where the fleet's file has nothing for it any more.
        tally: what the engine said.
        troubles: what failed.
        seconds: how long it took.
        log: where all that the engine said is; None where it did not run.
    """

    stack: FleetStack
    state: State
    tally: Tally
    troubles: tuple[Trouble, ...] = ()
    seconds: float = 0.0
    log: Path | None = None

    @property
    def well(self) -> bool:
        """Whether it came to a good end."""
        return self.state in ("unchanged", "changed")

    @classmethod
    def without_engine(cls, stack: FleetStack, state: State, why: str) -> Outcome:
        """That of a stack on which nothing was done."""
        return cls(stack, state, Tally(stack.clusters), (Trouble("", why),))


class _LeanStack(Stack):
    """A stack of which nobody asks for outputs and history after an update: three processes less for each."""

    def __init__(self, name: str, workspace: LocalWorkspace) -> None:
        # The base class would select it, by a process: every command names its stack here.
        self.name = name
        self.workspace = workspace
        self._mode = StackInitMode.SELECT

    def outputs(self) -> Any:
        return {}

    def info(self, show_secrets: bool = True) -> Any:
        return ()


@dataclass
class Runner:
    """Works on the stacks of one fleet.

    Attributes:
        workshop: where.
        engines: by what.
        fleet: the fleet's name.
        pack: the policy pack; None without one, which was asked for.
        clusters_at_once: operations side by side within a stack; None for the engine's default.
        continue_on_error: whether a cluster that fails holds back no other of its stack.
        release_dead_locks: whether a lock whose owner is gone is released.
        secrets_provider: what encrypts the secrets of a stack that is made; None for the backend's own.
        tell: takes lines that a person should read.
        found: whether Azure has a resource of an id.
        env: additional environment of the engines.
    """

    workshop: Workshop
    engines: Engines
    fleet: str
    pack: Path | None
    clusters_at_once: int | None = None
    continue_on_error: bool = True
    release_dead_locks: bool = False
    secrets_provider: str | None = None
    tell: Callable[[str], None] = lambda _line: None
    found: Callable[[str], bool] = lambda _id: False
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workspace = LocalWorkspace(
            work_dir=str(self.workshop.folder), pulumi_command=self.engines, env_vars=dict(self.env)
        )

    def existing(self) -> dict[str, StackSummary]:
        """The project's stacks that are there.

        Raises:
            Failure: the backend does not say.
        """
        try:
            return {summary.name.rpartition("/")[2]: summary for summary in self.workspace.list_stacks()}
        except CommandError as error:
            raise _failed("the stacks cannot be listed", error) from None

    def make(self, stack: str) -> None:
        """Make an empty stack.

        Raises:
            Failure: the backend refuses.
        """
        provider = ["--secrets-provider", self.secrets_provider] if self.secrets_provider else []
        try:
            self._pulumi("stack", "init", stack, "--no-select", *provider)
        except StackAlreadyExistsError:
            return  # another run was quicker
        except CommandError as error:
            raise _failed(f"the stack {stack} cannot be made", error) from None

    def configure(self, stack: FleetStack, *, exists: bool) -> None:
        """Write the configuration of a stack; its secrets go in encrypted, and never through arguments or files.

        Raises:
            Failure: a secret's variable is not set, or the engine refuses.
        """
        encryption = self.workshop.encryption(stack.name)
        if encryption is None and exists:
            # A machine that has not worked on it before: the state knows.
            encryption = encryption_of(self.export(stack.name))
        if encryption is None and self.secrets_provider:
            encryption = {"secretsprovider": self.secrets_provider}
        file = self.workshop.configure(stack, encryption or {})
        if not exists:
            self.make(stack.name)
        for path, variable in stack.secrets.items():
            value = os.environ.get(variable)
            if not value:
                raise Failure(f"{path} of {stack.name} comes from {variable}, which is not set", "set it and run again")
            key = path if ":" in path else f"{NAMESPACE}:{path}"
            where = ("--config-file", str(file), "--stack", stack.name)
            try:
                self._pulumi("config", "set", "--secret", "--path", key, *where, given=value)
            except CommandError as error:
                raise _failed(f"{path} of {stack.name} cannot be encrypted", error) from None

    def export(self, stack: str) -> Mapping[str, Any]:
        """The deployment in a stack's state.

        Raises:
            Failure: there is none, or it cannot be read.
        """
        try:
            said = self._pulumi("stack", "export", "--stack", stack).stdout
            return dict(json.loads(said).get("deployment") or {})
        except CommandError as error:
            raise _failed(f"the state of {stack} cannot be read", error) from None

    def held(self, stack: str) -> dict[str, str]:
        """The clusters that a stack's state holds, with the URNs of their components.

        Raises:
            Failure: it cannot be read.
        """
        held = [one["urn"] for one in self.export(stack).get("resources") or () if one["type"] in HOLDERS]
        return {urn.rpartition("::")[2]: urn for urn in held}

    def move(self, source: str, target: FleetStack, clusters: Sequence[str], *, exists: bool) -> None:
        """Have the state of clusters go from one stack to another; nothing happens to the clusters.

        Args:
            source: whose state holds them.
            target: the stack that is to hold them.
            clusters: their keys.
            exists: whether the target is there; else it is made.

        Raises:
            Failure: a state cannot be read or written.
        """
        if not exists:
            self.configure(target, exists=False)
        held, there = self.held(source), self.held(target.name)
        going = [held[one] for one in clusters if one in held]
        # A move writes the target first: one that was cut off left it in both.
        twice = [urn for urn in going if urn.rpartition("::")[2] in there]
        once = [urn for urn in going if urn not in twice]
        try:
            if once:
                self._pulumi("state", "move", "--yes", "--source", source, "--dest", target.name, *once)
            for urn in twice:
                self._pulumi("state", "delete", "--yes", "--target-dependents", "--stack", source, urn)
        except CommandError as error:
            raise _failed(f"the state of {source} cannot go to {target.name}", error) from None

    def outputs(self, stack: str) -> dict[str, Any]:
        """The outputs of a stack, as far as they are no secrets.

        Raises:
            Failure: they cannot be read.
        """
        try:
            return dict(json.loads(self._pulumi("stack", "output", "--json", "--stack", stack).stdout or "{}"))
        except CommandError as error:
            raise _failed(f"the outputs of {stack} cannot be read", error) from None

    def _settle(self, stack: FleetStack) -> None:
        """Clear up creates whose end a crashed run did not see, so that the next update can go on.

        A command's create finds by itself what is there. Azure's provider refuses what is there already, so that is
        taken into the state.

        Raises:
            CommandError: the state cannot be written.
            Failure: it cannot be read.
        """
        pending = [
            one["resource"]
            for one in self.export(stack.name).get("pending_operations") or ()
            if one["type"] == "creating"
        ]
        if not pending:
            return
        subscription = stack.config.get("azure-native:subscriptionId") or os.environ.get("ARM_SUBSCRIPTION_ID", "")
        taken: list[str] = []
        for resource in pending:
            form = _TAKEN_OVER.get(resource["type"])
            if form and self.found(there := form.format(subscription=subscription, **resource["inputs"])):
                taken += [resource["urn"], there]
        words = ("refresh", "--yes", "--skip-preview", "--stack", stack.name, *self._config(stack))
        if taken:
            self._pulumi(*words, *(word for text in taken for word in ("--import-pending-creates", text)))
        self._pulumi(*words, "--clear-pending-creates")
        names = [resource["urn"].rpartition("::")[2] for resource in pending]
        self.tell(
            f"{stack.name}: an earlier run was interrupted while it made {', '.join(names)}"
            + (f"; taken into the state, as they are there: {', '.join(taken[1::2])}" if taken else "")
        )

    def preview(self, stack: FleetStack, tally: Tally, *, exists: bool = True, refresh: bool = False) -> Outcome:
        """Configure a stack, and look what an update would change, held against the policy pack.

        Args:
            stack: which.
            tally: takes what the engine says.
            exists: whether it is there; else it is made, and empty.
            refresh: look at the resources themselves too.
        """

        def look(made: Stack, **options: Any) -> None:
            self.configure(stack, exists=exists)
            made.preview(policy_packs=self._packs, refresh=refresh or None, **options)

        return self._work(stack, tally, "preview", look)

    def imagine(self, stack: FleetStack, tally: Tally) -> Outcome:
        """The preview of a stack that is not there yet, without making it: in a backend of its own, soon gone."""
        with tempfile.TemporaryDirectory(prefix="arcgateway-fleet-") as folder:
            backend = Path(folder, "backend")
            backend.mkdir()
            env = {
                **self.env,
                "PULUMI_BACKEND_URL": backend.as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(16),
            }
            project = str(self.workshop.project)
            imagined = replace(
                self,
                workshop=Workshop(Path(folder, "work"), self.workshop.program, project, self.workshop.logs),
                env=env,
                secrets_provider=None,
            )
            for name in stack.needs:
                imagined.copy_outputs(name, self.outputs(name))
            config = dict(stack.config)
            if "stack" in (gateway := dict(config.get("gateway") or {})):
                gateway["stack"] = "/".join(["organization", *gateway["stack"].split("/")[1:]])
                config["gateway"] = gateway
            theirs = replace(stack, config=config)
            return replace(imagined.preview(theirs, tally, exists=False), stack=stack)

    def copy_outputs(self, stack: str, outputs: Mapping[str, Any]) -> None:
        """Make a stack that holds nothing but outputs."""
        self._pulumi("stack", "init", stack, "--no-select")
        urn = f"urn:pulumi:{stack}::{self.workshop.project}::{_STACK_TYPE}::{self.workshop.project}-{stack}"
        root = {"urn": urn, "custom": False, "type": _STACK_TYPE, "outputs": outputs}
        state = {"version": 3, "deployment": {"manifest": {}, "resources": [root]}}
        self._pulumi("stack", "import", "--stack", stack, given=json.dumps(state))

    def up(self, stack: FleetStack, tally: Tally) -> Outcome:
        """Update; a cluster that fails does not hold back the others."""

        def update(made: Stack, **options: Any) -> None:
            self._settle(stack)
            made.up(
                policy_packs=self._packs,
                continue_on_error=self.continue_on_error,
                show_secrets=False,
                parallel=self.clusters_at_once,
                **options,
            )

        return self._work(stack, tally, "up", update)

    def refresh(self, stack: FleetStack, tally: Tally) -> Outcome:
        """Bring the state in line with what providers can read."""

        def read(made: Stack, **options: Any) -> None:
            self.configure(stack, exists=True)
            made.refresh(show_secrets=False, **options)

        return self._work(stack, tally, "refresh", read)

    def destroy(self, stack: FleetStack, tally: Tally) -> Outcome:
        """Disconnect and delete what the stack holds."""

        def take_down(made: Stack, **options: Any) -> None:
            self.configure(stack, exists=True)
            made.destroy(
                continue_on_error=self.continue_on_error, show_secrets=False, parallel=self.clusters_at_once, **options
            )

        return self._work(stack, tally, "destroy", take_down)

    def remove(self, stack: str) -> None:
        """Remove a stack that holds nothing.

        Raises:
            Failure: it holds something, or the backend refuses.
        """
        try:
            self._pulumi("stack", "rm", "--yes", "--stack", stack, "--preserve-config")
        except CommandError as error:
            raise _failed(f"the stack {stack} cannot be removed", error) from None

    @property
    def _packs(self) -> list[str] | None:
        return [str(self.pack)] if self.pack else None

    def _message(self, verb: str) -> str:
        """What the stack's history says of a run."""
        return f"arcgateway fleet {verb} of {self.fleet}" + ("" if self.pack else ", without the policy pack")

    def _config(self, stack: FleetStack) -> tuple[str, str]:
        return "--config-file", str(self.workshop.file(stack.name))

    def _work(self, stack: FleetStack, tally: Tally, verb: str, work: Callable[..., Any]) -> Outcome:
        if self.engines.interrupted:
            return Outcome.without_engine(stack, "cancelled", "the run was interrupted before its turn")
        path = self.workshop.log(stack.name, verb)
        begun = time.monotonic()
        with path.open("w") as log:
            path.chmod(0o600)
            lock = threading.Lock()

            def keep(line: str) -> None:
                with lock:
                    print(line, file=log, flush=True)

            options = {
                "message": self._message(verb),
                "color": "never",
                "suppress_outputs": True,
                "suppress_progress": True,
                "config_file": str(self.workshop.file(stack.name)),
                "on_event": tally.note,
                "on_output": keep,
                "on_error": keep,
            }
            state, troubles = self._tried(stack, tally, verb, lambda made: work(made, **options))
        return Outcome(stack, state, tally, troubles, time.monotonic() - begun, path)

    def _tried(
        self, stack: FleetStack, tally: Tally, verb: str, work: Callable[[Stack], Any], *, again: bool = True
    ) -> tuple[State, tuple[Trouble, ...]]:
        try:
            work(_LeanStack(stack.name, self.workspace))
        except Failure as failure:
            return "cancelled" if self.engines.interrupted else "failed", (Trouble("", str(failure)),)
        except ConcurrentUpdateError as error:
            said = str(error)
            owners = locks.owners(said)
            if again and self.release_dead_locks and owners and all(owner.gone for owner in owners):
                self.tell(f"{stack.name}: the lock of {', '.join(map(str, owners))}, which crashed, is released")
                with suppress(CommandError):  # what it comes to shows in the second try
                    self._pulumi("cancel", "--yes", "--stack", stack.name)
                return self._tried(stack, tally, verb, work, again=False)
            return "locked", (Trouble("", locks.explained(stack.name, said)),)
        except (CommandError, RuntimeError) as error:
            if self.engines.interrupted:
                return "cancelled", (Trouble("", f"the {verb} was interrupted"),)
            if tally.broken:
                return "refused", tuple(
                    Trouble(one.cluster, f"{one.policy}: {one.text}")
                    for one in tally.violations
                    if one.level == "mandatory"
                )
            return "failed", tally.troubles(_last_line(error))
        return ("unchanged" if tally.unchanged else "changed"), ()

    def _pulumi(self, *words: str, given: str | None = None) -> CommandResult:
        return self.engines.run(list(words), str(self.workshop.folder), self.env, given=given)


def _failed(what: str, error: CommandError) -> Failure:
    return Failure(f"{what} ({_last_line(error)})", "see what pulumi says")


def _last_line(error: BaseException) -> str:
    """What pulumi said went wrong, without the Automation API's frame around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line.partition("error:")[2].strip() for line in lines if "error:" in line]
    return next(filter(None, errors), lines[-1] if lines else "pulumi said nothing")
