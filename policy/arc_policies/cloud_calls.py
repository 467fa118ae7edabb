"""Which cloud the calls of a command speak to: by variables, by addresses, by settings that they write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .arc_chart import AGENTS, CLOUD, version_in
from .names import host_of
from .reading import UNKNOWN, Node, Value
from .shell import OPEN, Call
from .tokens import Subject

#: Variables by which clients are told a cloud, a region or an address, and how rule `azure-public-cloud` reads each.
CLOUD_VARIABLES: Mapping[str, str] = {
    "ARM_ENVIRONMENT": "environment",
    "AZURE_ENVIRONMENT": "word",
    "AZURE_CLOUD_NAME": "word",
    "AZURE_CLOUD": "word",
    "ARM_METADATA_HOSTNAME": "metadataHost",
    "ARM_METADATA_HOST": "metadataHost",
    "AZURE_AUTHORITY_HOST": "address",
    "AZURE_RESOURCE_MANAGER_ENDPOINT": "address",
    "ARC_LOCATION": "location",
    "ARC_GATEWAY_ENDPOINT": "address",
}
#: Programs that speak to addresses that they are given.
_CLIENTS = frozenset(
    {"az", "arcgateway", "azcmagent", "curl", "http", "invoke-restmethod", "invoke-webrequest", "pulumi", "terraform"}
    | {"wget"}
)
#: The setting of a provider in `pulumi config set NAME VALUE` and in `pulumi up -c NAME=VALUE`.
_PROVIDER_CLOUD = re.compile(r"azure(?:-native|ad)?:environment(?:=|$)")
#: Groups of `az` that speak to an address that they are given.
_ADDRESSED = frozenset({"account", "cloud", "login", "rest"})
#: Among how many words the group stands, global options before it.
_FIRST_WORDS = 4
_ADDRESS_OPTIONS = frozenset(
    {"--resource", "--scope", "--tenant", "-t", "--tenant-id", "--url", "--uri", "-u", "--username"}
)


def told(call: Call, text: Node, given: Mapping[str, str]) -> Iterator[Subject]:
    """What a program is told by variables that its command does not have from the resource, and by its words.

    Args:
        call: the program and its words.
        text: the command, where findings are placed.
        given: the variables that the resource gives it, which are judged where they stand.
    """
    own = {name: value for name, value in call.variables.items() if value != given.get(name)}
    for name in sorted(CLOUD_VARIABLES.keys() & own.keys()):
        body: Value = {CLOUD_VARIABLES[name]: UNKNOWN if OPEN in own[name] else own[name]}
        yield Subject(CLOUD, Node(body), text.path, f"sets {name}, which")
    if version := version_in(own.get("HELMREGISTRY", "")):
        yield Subject(AGENTS, Node({"version": version}), text.path, "sets HELMREGISTRY, which")
    if call.program in _CLIENTS:
        yield Subject(CLOUD, Node(_words(call)), text.path, f"runs `{call.program}`, which")


def _words(call: Call) -> Value:
    if call.program == "az":
        return {"address": [host_of(word) for word in _addresses(call.arguments)]}
    hosts: Value = [host_of(word) for word in call.arguments if "." in word and " " not in word]
    return {"mention": hosts, "word": _provider_cloud(call.arguments) if call.program == "pulumi" else None}


def _addresses(words: tuple[str, ...]) -> Iterator[str]:
    """The values of those options of `az` that name an address or a directory, in the groups that go there."""
    if not _ADDRESSED.intersection(words[:_FIRST_WORDS]):
        return
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.startswith(("--endpoint", "--suffix")) or name in _ADDRESS_OPTIONS:
            yield value if equals else "".join(words[index + 1 : index + 2])


def _provider_cloud(words: tuple[str, ...]) -> str:
    for index, word in enumerate(words):
        if _PROVIDER_CLOUD.match(word):
            return word.partition("=")[2] or "".join(words[index + 1 : index + 2])
    return ""
