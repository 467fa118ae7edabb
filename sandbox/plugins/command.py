"""The plugin `command` with its resource `command:local:Command` and function `command:local:run`, as of 1.2.1.

What the real one does was read in its source and in that of the library it is built on (pulumi-go-provider 1.3.0), and
the two were run side by side; where a manner looks odd here, it is the real one's.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.plugins.changes import changes
from sandbox.plugins.command_process import CommandError, Commands, Run
from sandbox.plugins.fields import Failure, Field, check, schema
from sandbox.plugins.plugin import Checked, Difference, Log, Naming, Plugin, PluginError, Refused, Resource, State
from sandbox.plugins.values import UNKNOWN, Properties, plain

COMMAND = "command:local:Command"
RUN = "command:local:run"

_STRINGS = Field("array", items=Field("string"))
_LOGGED = {
    "stdout": frozenset({"stdout"}),
    "stderr": frozenset({"stderr"}),
    "stdoutAndStderr": frozenset({"stdout", "stderr"}),
    "none": frozenset[str](),
}
BASE_INPUTS: Mapping[str, Field] = {
    "stdin": Field(),
    "logging": Field(),
    "interpreter": _STRINGS,
    "dir": Field(),
    "environment": Field("map", items=Field()),
    "assetPaths": _STRINGS,
    "archivePaths": _STRINGS,
    "addPreviousOutputInEnv": Field("boolean"),
}
COMMAND_INPUTS: Mapping[str, Field] = {
    **BASE_INPUTS,
    "triggers": Field("array", items=Field("any")),
    "create": Field(),
    "update": Field(),
    "delete": Field(),
}
RUN_INPUTS: Mapping[str, Field] = {**BASE_INPUTS, "command": Field(required=True)}
OUTPUTS = ("stdout", "stderr")
NOT_COLLECTED = ("assetPaths", "archivePaths")


class CommandPlugin(Plugin):
    """Runs commands on this machine as resources."""

    name = "command"
    version = "1.2.1"

    def __init__(self, log: Log) -> None:
        self._log = log
        self._commands = Commands()

    def configure(self, settings: Properties) -> None:
        pass  # it has no settings

    def schema(self) -> dict[str, Any]:
        outputs = {name: {"type": "string"} for name in OUTPUTS}
        inputs = schema(COMMAND_INPUTS)
        return {
            "resources": {
                COMMAND: {"inputProperties": inputs, "properties": {**inputs, **outputs}, "required": list(OUTPUTS)}
            },
            "functions": {
                RUN: {
                    "inputs": {"type": "object", "properties": schema(RUN_INPUTS), "required": ["command"]},
                    "outputs": {
                        "type": "object",
                        "properties": {**schema(RUN_INPUTS), **outputs},
                        "required": ["command", *OUTPUTS],
                    },
                }
            },
        }

    def check(self, resource: Resource, old: Properties, new: Properties, naming: Naming) -> Checked:
        if resource.type != COMMAND:
            reason = f"the sandbox's command plugin has {COMMAND} only; run {resource.type} with the real one"
            return Checked(new, [Failure("", reason)])
        return Checked(new, [*check(COMMAND_INPUTS, new), *_refused(new)])

    def diff(self, resource: Resource, old: State, inputs: Properties) -> Difference:
        # A change inside of triggers replaces by an option of the SDK, one of the whole list by the plugin.
        return Difference(changes(_own(old.inputs), _own(inputs), lambda path: path == "triggers"))

    def preview(self, resource: Resource, old: State | None, inputs: Properties) -> State:
        if old is None:
            return State(_new_id(resource), inputs, {**inputs, **dict.fromkeys(OUTPUTS, UNKNOWN)})
        # An input that is new altogether leaves the outputs as they were: so does the real one.
        unclear = any(
            inputs.get(name) is UNKNOWN or (name in old.outputs and inputs.get(name) != old.outputs[name])
            for name in COMMAND_INPUTS
        )
        kept = {name: UNKNOWN if unclear else plain(old.outputs.get(name, "")) for name in OUTPUTS}
        return State(old.id, inputs, {**inputs, **kept})

    def create(self, resource: Resource, inputs: Properties, timeout: float) -> State:
        outputs = self._run("create", inputs, {}, resource.urn)
        return State(_new_id(resource), inputs, {**inputs, **outputs})

    def update(self, resource: Resource, old: State, inputs: Properties, timeout: float) -> Properties:
        operation = "update" if "update" in inputs else "create"
        return {**inputs, **self._run(operation, inputs, old.outputs, resource.urn)}

    def read(self, resource: Resource, old: State) -> State | None:
        return old

    def delete(self, resource: Resource, old: State, timeout: float) -> None:
        self._run("delete", old.outputs, old.outputs, resource.urn)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        if token != RUN:
            raise PluginError(f"the sandbox's command plugin has no function {token}")
        wrong = [*check(RUN_INPUTS, arguments), *_refused(arguments)]
        if wrong:
            raise Refused(wrong)
        return {**arguments, **self._run("command", arguments, {}, "")}

    def cancel(self) -> None:
        self._commands.cancel()

    def _run(self, operation: str, inputs: Properties, old: Properties, urn: str) -> Properties:
        """Run the text of an operation; without one, nothing runs and the outputs stay as they were."""
        known = plain(inputs)
        before = {name: plain(old.get(name)) or "" for name in OUTPUTS}
        if operation not in known:
            return before
        what = Run(
            command=known[operation],
            interpreter=known.get("interpreter") or (),
            directory=known.get("dir", ""),
            environment=_environment(known, before),
            stdin=known.get("stdin", ""),
            logged=_LOGGED.get(known.get("logging", "stdoutAndStderr"), frozenset()),
        )
        try:
            captured = self._commands.run(what, lambda line: self._log(line, urn))
        except CommandError as error:
            raise PluginError(str(error)) from error
        return {"stdout": captured.stdout, "stderr": captured.stderr}


def _environment(inputs: Properties, before: Properties) -> dict[str, str]:
    own = {**os.environ, **inputs.get("environment", {})}
    if inputs.get("addPreviousOutputInEnv", True):
        own |= {f"PULUMI_COMMAND_{name.upper()}": text for name, text in before.items() if text}
    return own


def _own(inputs: Properties) -> Properties:
    return {name: value for name, value in inputs.items() if name in COMMAND_INPUTS}


def _refused(inputs: Properties) -> list[Failure]:
    return [
        Failure(name, f"'{name}': the sandbox's command plugin does not collect files yet; leave it out here")
        for name in NOT_COLLECTED
        if plain(inputs.get(name))
    ]


def _new_id(resource: Resource) -> str:
    return resource.name + secrets.token_hex(4)


def main() -> None:
    """Serve the plugin to the engine that started this process."""
    from sandbox.plugins.server import serve

    serve(CommandPlugin)
