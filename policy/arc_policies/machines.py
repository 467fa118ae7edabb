"""What a virtual machine is told to run: custom data, user data, cloud-init, extensions and run commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .manifests import documents
from .reading import Node, from_json
from .shell import decoded

RUNBOOKS = frozenset({"azure:automation:runbook"})
_COMPUTE = (
    *("virtualmachine", "virtualmachinescaleset", "virtualmachinescalesetvm", "extension", "runcommand"),
    *("virtualmachineextension", "virtualmachinescalesetextension", "virtualmachinescalesetvmextension"),
    *("virtualmachineruncommandbyvirtualmachine", "virtualmachinescalesetvmruncommand", "virtualmachineruncommand"),
    *("linuxvirtualmachine", "linuxvirtualmachinescaleset", "orchestratedvirtualmachinescaleset"),
    *("windowsvirtualmachine", "windowsvirtualmachinescaleset", "scaleset"),
)
_ARC_MACHINES = ("machineextension", "machineruncommand")

MACHINES = RUNBOOKS | frozenset(
    (
        *(f"{provider}:compute:{kind}" for provider in ("azure-native", "azure", "azurerm") for kind in _COMPUTE),
        *(f"azure-native:hybridcompute:{kind}" for kind in _ARC_MACHINES),
        *(f"azure:arcmachine:{kind}" for kind in ("arcmachine", "automanageconfigurationassignment", "extension")),
    )
)

_ENCODED = frozenset({"customdata", "userdata"})
_SETTINGS = frozenset({"settings", "protectedsettings"})


@dataclass(frozen=True)
class Script:
    """A text that a machine runs or keeps.

    Attributes:
        place: the property.
        text: what it says; empty where it is not known.
        runs: whether it is a script, for else it is configuration.
        powershell: whether it is one for PowerShell.
    """

    place: Node
    text: str
    runs: bool
    powershell: bool = False


def scripts(node: Node) -> Iterator[Script]:
    """The scripts and configuration in a machine's properties."""
    for place in node.walk():
        if place.key in _ENCODED and (place.text or place.open):
            yield from _data(place)
        elif place.key == "content" and place.text and len(place.path) == 1:
            yield Script(place, place.text, runs=True, powershell=True)
        elif place.key == "commandtoexecute" and (place.text or place.open):
            yield Script(place, place.text, runs=True)
        elif place.key == "script" and (place.text or place.open):
            text = place.text if re.search(r"\s", place.text) else decoded(place.text)
            yield Script(place, text, runs=True, powershell="$" in text and "-Az" in text)
        elif place.key in _SETTINGS and place.text:
            for inner in Node(from_json(place.text)).walk():
                if inner.key == "commandtoexecute" and inner.text:
                    yield Script(place, inner.text, runs=True)
                elif inner.key == "script" and inner.text:
                    yield Script(place, decoded(inner.text), runs=True)


def _data(place: Node) -> Iterator[Script]:
    # The classic provider's machines take it in base64, its old ones and templates in plain text.
    text = place.text if re.match(r"#!|#cloud-config|Content-Type", place.text) else decoded(place.text)
    if text.startswith(("Content-Type", "MIME-Version")):
        for part in re.split(r"^--.*$", text, flags=re.MULTILINE)[1:]:
            yield from _part(place, part.replace("\r", "").partition("\n\n")[2].strip())
    else:
        yield from _part(place, text)


def _part(place: Node, text: str) -> Iterator[Script]:
    if place.open or text.startswith("#!"):
        yield Script(place, text, runs=True)
    elif text.startswith("#cloud-config"):
        for document in documents(text):
            yield from _cloud_init(Node(document), place)
    else:
        yield Script(place, text, runs=False)


def _cloud_init(configuration: Node, place: Node) -> Iterator[Script]:
    lines = [
        " ".join(_quoted(word.text) for word in line.each()) if isinstance(line.value, list) else line.text
        for section in ("bootcmd", "runcmd")
        for line in configuration.get(section).each()
    ]
    yield Script(place, "\n".join(lines), runs=True)
    for file in configuration.get("write_files").each():
        content = file.get("content").text
        if "b64" in file.get("encoding").text or "base64" in file.get("encoding").text:
            content = decoded(content)
        yield Script(place, content, runs=content.startswith("#!"))


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
