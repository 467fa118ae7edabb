"""Where a fleet's stacks are worked on: the program, its policy pack, and a folder with a configuration for each stack.

The engine is run in a folder of our own whose Pulumi.yaml leads to the program (`main`). So the checkout stays clean,
what a person has selected there stays selected, and the plugins still work in the program's folder, to which the
commands' launcher is relative.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from arcgateway.errors import Failure
from arcgateway.fleet.partition import FleetStack
from arcgateway.launcher import FOLDER

NAMESPACE = "arc-gateway"

#: Where a policy pack is found beside a program, the first that is there: a checkout's, else the bundle made of it.
PACKS = ("policy", "dist/policy")

#: What a stack's file says of how its secrets are encrypted, besides its configuration.
ENCRYPTION = ("secretsprovider", "encryptedkey", "encryptionsalt")


@dataclass(frozen=True)
class Program:
    """The Pulumi program that every stack of a fleet runs.

    Attributes:
        folder: where its Pulumi.yaml is.
        project: what that says.
    """

    folder: Path
    project: Mapping[str, Any]

    @classmethod
    def find(cls, folder: Path) -> Program:
        """The program in a folder.

        Raises:
            Failure: there is none, or its Pulumi.yaml cannot be read.
        """
        file = folder / "Pulumi.yaml"
        try:
            project = yaml.safe_load(file.read_text())
        except OSError as error:
            raise Failure(
                f"{folder} holds no program ({file.name}: {error.strerror})", "name its folder with --program"
            ) from None
        except yaml.YAMLError:
            project = None
        if not isinstance(project, dict) or "runtime" not in project:
            raise Failure(f"{file} is no Pulumi project", "name the program's folder with --program")
        return cls(folder.resolve(), project)

    def pack(self, given: Path | None = None) -> Path:
        """The policy pack that its stacks are held against.

        Args:
            given: one that was asked for, instead of the one beside the program.

        Raises:
            Failure: there is none.
        """
        places = [given] if given else [self.folder / name for name in PACKS]
        for folder in places:
            if (folder / "PulumiPolicy.yaml").is_file():
                return folder.resolve()
        raise Failure(
            f"there is no policy pack in {', '.join(map(str, places))}",
            "name its folder with --policy-pack, or go without it by --no-policy, which is logged",
        )

    def settings(self, project: str) -> dict[str, Any]:
        """The Pulumi.yaml of another folder that runs this program as `project`."""
        made = json.loads(json.dumps(self.project))
        made |= {"name": project, "main": str(self.folder / made.get("main", ""))}
        made.pop("stackConfigDir", None)
        runtime = made["runtime"]
        if isinstance(runtime, dict) and (virtualenv := (runtime.get("options") or {}).get("virtualenv")):
            runtime["options"]["virtualenv"] = str(self.folder / virtualenv)
        for kind in (made.get("plugins") or {}).values():
            for plugin in kind:
                if "path" in plugin:
                    plugin["path"] = str(self.folder / plugin["path"])
        return dict(made)


class Workshop:
    """The folder in which the engine works.

    Args:
        folder: made when missing, readable by its owner alone.
        program: what the stacks run.
        project: under which name.
        logs: where what engines say is kept; below the folder by default.
    """

    def __init__(self, folder: Path, program: Program, project: str, logs: Path | None = None) -> None:
        self.folder = folder
        self.program = program
        self.project = project
        self.logs = logs or folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        _write(folder / "Pulumi.yaml", yaml.safe_dump(program.settings(project), sort_keys=False))

    @classmethod
    def of(cls, program: Program, fleet: str, project: str, given: Path | None = None) -> Workshop:
        """That of a fleet: the given folder, or one beside the program, where version control does not look."""
        if given is not None:
            return cls(given.resolve(), program, project)
        ours = program.folder / FOLDER
        ours.mkdir(exist_ok=True)
        if not (ours / ".gitignore").exists():
            (ours / ".gitignore").write_text("*\n")
        return cls(ours / "fleet" / fleet, program, project)

    def file(self, stack: str) -> Path:
        """The configuration of a stack."""
        return self.folder / f"Pulumi.{stack}.yaml"

    def log(self, stack: str, verb: str) -> Path:
        """What the engine says about a stack, as it says it."""
        self.logs.mkdir(exist_ok=True)
        return self.logs / f"{stack}.{verb}.log"

    def configure(self, stack: FleetStack, encryption: Mapping[str, Any]) -> Path:
        """Write the configuration of a stack, without its secrets.

        Args:
            stack: whose.
            encryption: how its secrets are encrypted, as far as that is known.
        """
        config = {key if ":" in key else f"{NAMESPACE}:{key}": value for key, value in stack.config.items()}
        file = self.file(stack.name)
        _write(file, yaml.safe_dump({**encryption, "config": config}, sort_keys=False, allow_unicode=True))
        return file

    def encryption(self, stack: str) -> dict[str, Any] | None:
        """How the secrets of a stack are encrypted, by its file; None where there is none, or it does not say."""
        try:
            found = yaml.safe_load(self.file(stack).read_text())
        except (OSError, yaml.YAMLError):
            return None
        return {key: found[key] for key in ENCRYPTION if key in found} or None if isinstance(found, dict) else None

    def note(self, record: Mapping[str, Any]) -> None:
        """Add a line to the journal of runs."""
        with (self.folder / "runs.jsonl").open("a") as journal:
            journal.write(json.dumps(record) + "\n")


def encryption_of(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """How a state says that its secrets are encrypted, as a stack's file would."""
    provider = deployment.get("secrets_providers") or {}
    state = provider.get("state") or {}
    match provider.get("type"):
        case "passphrase":
            return {"encryptionsalt": state["salt"]}
        case "cloud":
            return {"secretsprovider": state["url"], "encryptedkey": state["encryptedkey"]}
    return {}


def _write(path: Path, text: str) -> None:
    """Have a file hold this, with no moment in which it holds less, for its owner's eyes alone."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.replace(path)
