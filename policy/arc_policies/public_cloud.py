"""Rule `azure-public-cloud`: Arc gateways are a service of Azure's public cloud alone."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from datetime import date

from .arc_chart import AGENTS_CONFIG, CLOUD
from .cloud_calls import CLOUD_VARIABLES
from .commands import GATEWAY, TEXT
from .names import host_of
from .reading import Node, fold, plain
from .rule import OPEN, Check, Finding, Grade, Level, Rule
from .settings import Settings
from .subjects import is_component
from .templates import DEPLOYMENT
from .tokens import Subject

#: What is left of a cloud's name without `Azure`, `Cloud` and punctuation.
_PUBLIC = frozenset({"", "public", "global"})
_OTHER = frozenset(
    (
        *("usgovernment", "usgov", "government", "usgovernmentl4", "usgovernmentl5", "usdod", "dod", "fairfax"),
        *("china", "mooncake", "german", "germany", "blackforest"),
        *("ussec", "usnat", "stack", "bleu", "delos"),
    )
)

_REGION = re.compile(
    r"usgov(?:virginia|arizona|texas|iowa)|usdod(?:east|central)|us(?:sec|nat)(?:east|west|westcentral)"
    # germanynorth and germanywestcentral are regions of the public cloud.
    r"|china(?:east|north)\d?|germany(?:central|northeast)"
)

#: Domains in which other clouds have their endpoints.
_DOMAINS = (
    *("azure.us", "usgovcloudapi.net", "usgovcloudapp.net", "microsoftonline.us", "onmicrosoft.us", "microsoft.us"),
    *("azurecr.us", "usgovtrafficmanager.net", "azurewebsites.us"),
    *("azure.cn", "chinacloudapi.cn", "chinacloudapp.cn", "microsoftonline.cn", "onmschina.cn", "azurecr.cn"),
    *("windowsazure.cn", "chinacloudsites.cn"),
    *("microsoftazure.de", "microsoftonline.de", "cloudapi.de", "onmicrosoft.de"),
    *("microsoft.scloud", "eaglex.ic.gov", "azurestack.external"),
)
_ADDRESS = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, _DOMAINS))})(?![\w-]|\.\w)", re.IGNORECASE | re.ASCII)

_MENTION = re.compile(r"Azure(?:USGovernment|ChinaCloud|GermanCloud)", re.IGNORECASE)

_PUBLIC_HOST = re.compile(r"(?:.*\.)?(?:azure\.com|microsoftonline\.com|windows\.net)", re.IGNORECASE)
_OWN_HOST = re.compile(
    r"localhost|[^.]+|.*\.(?:localhost|local|localdomain|internal|test|example|lan|home\.arpa)", re.I
)

_MEND = "Use Azure's public cloud (AzureCloud) for gateways and the clusters behind them."
_ELSEWHERE = "than Azure's public one"

#: Where a component may hold another cloud's names without going there.
_UNRELATED = frozenset(
    (
        *("tags", "skiprange", "proxyskiprange", "certificate", "proxycertificate", "genuineroots"),
        *("httpsurl", "httpurl", "proxyhttps", "proxyhttp", "username", "password"),
    )
)


def _named(place: Node, *, strict: bool = True) -> Iterator[Finding]:
    """The name of a cloud; `strict` where nothing else but a cloud can be meant."""
    name = re.sub(r"[\W_]", "", place.text.lower()).removeprefix("azure").removesuffix("cloud")
    if place.open and strict:
        yield Finding(OPEN, place.path, f"may name another cloud {_ELSEWHERE}, which is not known yet", _MEND)
    elif name in _OTHER:
        yield Finding("other", place.path, f"names another cloud {_ELSEWHERE}", _MEND)
    elif name not in _PUBLIC and strict:
        yield Finding("unsure", place.path, f"names a cloud that may be another {_ELSEWHERE}", _MEND)


def _located(place: Node) -> Iterator[Finding]:
    for item in place.each():
        if _REGION.fullmatch(re.sub(r"[\s_-]", "", item.text.lower())):
            yield Finding("other", item.path, f"names a region of another cloud {_ELSEWHERE}", _MEND)


def _addressed(place: Node, grade: str = "other") -> Iterator[Finding]:
    if any(_ADDRESS.search(node.text) for node in place.walk()):
        yield Finding(grade, place.path, f"names an address of another cloud {_ELSEWHERE}", _MEND)


def _metadata(place: Node) -> Iterator[Finding]:
    host = host_of(place.text).lower()
    bare = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].rstrip(".")
    if place.open:
        yield Finding(OPEN, place.path, f"may belong to another cloud {_ELSEWHERE}, which is not known yet", _MEND)
    elif _ADDRESS.search(bare):
        yield Finding("other", place.path, f"names an address of another cloud {_ELSEWHERE}", _MEND)
    elif bare and not (_PUBLIC_HOST.fullmatch(bare) or _OWN_HOST.fullmatch(bare) or _private(bare)):
        yield Finding("unsure", place.path, f"names a host that may belong to another cloud {_ELSEWHERE}", _MEND)


def _private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _provider(subject: Subject, _: Settings) -> Iterator[Finding]:
    node = subject.node
    environment, metadata = node.get("environment"), node.get("metadataHost")
    yield from _named(environment)
    yield from _metadata(metadata)
    yield from _located(node.get("location"))
    for name in ("endpoint", "endpoints", "tenantId", "activeDirectoryAuthorityHost", "resourceManagerEndpoint"):
        yield from _addressed(node.get(name))
    yield from _process(node, environment, metadata)


def _process(node: Node, environment: Node, metadata: Node) -> Iterator[Finding]:
    """The variables by which the provider, a child of the engine as the pack is, gets what its inputs leave open."""
    for place, variable in ((environment, "ARM_ENVIRONMENT"), (metadata, "ARM_METADATA_HOSTNAME")):
        told = Node(os.environ.get(variable) if place.value is None else None, node.path)
        for finding in _named(told, strict=False) if place is environment else _addressed(told):
            yield Finding(
                finding.grade,
                node.path,
                f"takes its cloud from the variable {variable}, which {finding.problem}",
                f"Unset {variable}, or set it for Azure's public cloud.",
            )


def _arc(subject: Subject, _: Settings) -> Iterator[Finding]:
    yield from _located(subject.node.field("location"))
    if subject.resource is not None and subject.at is None:
        provider = Node(plain(subject.resource.provider))
        told = (*_named(provider.get("environment"), strict=False), *_addressed(provider.get("metadataHost")))
        for finding in told:
            yield Finding(finding.grade, subject.node.path, f"is made by a provider that {finding.problem}", _MEND)


def _cloud(subject: Subject, _: Settings) -> Iterator[Finding]:
    node = subject.node
    yield from _named(node.get("environment"))
    yield from _named(node.get("word"), strict=False)
    yield from _metadata(node.get("metadataHost"))
    yield from _located(node.get("location"))
    yield from _addressed(node.get("address"))
    yield from _addressed(node.get("mention"), "sign")


def _component(subject: Subject, _: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if _UNRELATED.intersection(fold(step) for step in node.path if isinstance(step, str)):
            continue
        if node.key in {"location", "locations", "region", "regions"}:
            yield from _located(node)
        elif node.key in {"environment", "azureenvironment", "cloud"}:
            yield from _named(node, strict=False)
        elif node.text:
            yield from _addressed(node)


def _text(subject: Subject, _: Settings) -> Iterator[Finding]:
    if _MENTION.search(subject.node.text) or _ADDRESS.search(subject.node.text):
        yield Finding(
            "sign", subject.node.path, f"seems to use another cloud {_ELSEWHERE}, in text that is no plain shell", _MEND
        )


def _agents(subject: Subject, _: Settings) -> Iterator[Finding]:
    """What the agents themselves were told, in a ConfigMap of theirs."""
    if subject.node.get("metadata", "name").text == AGENTS_CONFIG:
        yield from _named(subject.node.get("data", "AZURE_ENVIRONMENT"))
        yield from _located(subject.node.get("data", "AZURE_REGION"))


_PROVIDER = re.compile(r"pulumi:providers:(?:azure|azure-native|azure-nextgen|azuread|azurerm|azapi|msgraph)(?:_\w+)?")

_HISTORY = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/arc-gateway-simplify-networking.md"
_CHECKED = date(2026, 8, 20)

RULE = Rule(
    name="azure-public-cloud",
    description="Arc gateways and their clusters are in Azure's public cloud.",
    why=(
        "Only Azure's public cloud has Arc gateways: in Azure Government, Azure operated by 21Vianet (China) and other "
        "clouds of their own the gateway cannot be made, and clusters that are told one never connect."
    ),
    grades={
        "other": Grade(
            "a cloud that is not Azure's public one, by name, region or address",
            Level.MANDATORY,
            Level.MANDATORY,
            _HISTORY,
            _CHECKED,
        ),
        "unsure": Grade(
            "a cloud of an unknown name or a metadata host of unknown kind, such as a private stand-in for Azure",
            Level.ADVISORY,
            Level.ADVISORY,
            "our judgement",
            _CHECKED,
        ),
        "sign": Grade(
            "a mention of another cloud in a command that is no `az`",
            Level.ADVISORY,
            Level.ADVISORY,
            "our judgement",
            _CHECKED,
        ),
    },
    checks=(
        Check(
            "provider",
            "providers, explicit and default, of azure-native (every package), azure, azuread, azapi: environment, "
            "metadata host, endpoints, default location; ARM_ENVIRONMENT and ARM_METADATA_HOSTNAME of the process",
            _provider,
            matches=lambda token: _PROVIDER.fullmatch(token) is not None,
            grades=("other", "unsure"),
        ),
        Check(
            "arc",
            "location and provider of gateways, connected clusters, Arc machines, custom locations, resource "
            "groups and deployments: azure-native, classic, generic, in templates, azapi, `az`, PowerShell",
            _arc,
            frozenset(
                {
                    GATEWAY,
                    "azure-native:kubernetes:connectedcluster",
                    "azure-native:hybridcompute:machine",
                    "azure-native:extendedlocation:customlocation",
                    "azure-native:resources:resourcegroup",
                    DEPLOYMENT,
                }
            ),
            grades=("other",),
        ),
        Check(
            "cloud",
            "`az cloud set`, `az config set cloud.name`, `az login`, `az rest` and `az cloud register` of another "
            "cloud's addresses, `Connect-AzAccount -Environment`, `azcmagent --cloud`; Arc's chart by "
            f"`global.azureEnvironment`; variables of commands and of the driver ({', '.join(CLOUD_VARIABLES)})",
            _cloud,
            frozenset({CLOUD}),
            grades=("other", "unsure", "sign"),
        ),
        Check(
            "text",
            "scripts in other languages, and shell text that does not parse",
            _text,
            frozenset({TEXT}),
            grades=("sign",),
        ),
        Check("component", "this project's own components", _component, matches=is_component, grades=("other",)),
        Check(
            "agents",
            "the agents' own ConfigMap `azure-clusterconfig`",
            _agents,
            frozenset({"kubernetes:core:configmap"}),
            grades=("other", "unsure"),
        ),
    ),
)
