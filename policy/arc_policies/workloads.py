"""Intercepting proxies run on Kubernetes: images, charts and configuration that only such a proxy has."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from .commands import INTERCEPTORS, WORDS
from .names import GATEWAY, REQUIRED, meets
from .proxy_settings import grade
from .reading import Node
from .rule import OPEN, Check, Finding
from .settings import Settings
from .subjects import HELM
from .tokens import Subject

_MEND = "Take it off the path of Arc's agents, or have it pass the hosts of Arc through untouched."
_LONGEST_BASE64 = 2_000_000

#: Products that may be set up to intercept, by a part of an image's or chart's name.
_PRODUCTS = re.compile(
    r"(?:^|[-_/.])(mitm\w*|sslsplit|zscaler|netskope|burp|burpsuite|charles)(?:[-_/.]|$)", re.IGNORECASE
)

_GATEWAY_NAME = re.compile(r"gw\\?\.arc\\?\.azure\\?\.com", re.IGNORECASE)


@dataclass(frozen=True)
class _Sign:
    """A weak sign in configuration text; two of different kinds agree."""

    kind: str
    pattern: re.Pattern[str]
    problem: str


_SIGNS = (
    _Sign(
        "port",
        re.compile(r"^[ \t]*https?_port[ \t][^#\n]*\bssl-bump\b", re.M),
        "has a squid port open for interception",
    ),
    _Sign(
        "signing",
        re.compile(r"^[^#\n]*?(?:generate-host-certificates=on|sslcrtd_program|security_file_certgen)", re.M),
        "has squid sign certificates for other hosts",
    ),
    _Sign(
        "haproxy",
        re.compile(r"^[ \t]*bind[ \t][^#\n]*\bca-sign-file\b", re.M),
        "has HAProxy sign certificates for other hosts",
    ),
    _Sign(
        "authority",
        re.compile(r"zscaler ?root|netskope|umbrella root|fortinet_ca_ssl|mitmproxy-ca", re.I),
        "names the certificate authority of an intercepting product",
    ),
)
_BUMP = re.compile(r"^[ \t]*ssl_bump[ \t]+([\w-]+)([^#\n]*)", re.M)
_DECRYPTING = frozenset({"bump", "stare", "client-first", "server-first"})


def _image(node: Node, settings: Settings, args: tuple[str, ...] = ()) -> Iterator[Finding]:
    name = _bare(node.text)
    if name in INTERCEPTORS:
        passes = any("ignore" in arg and _GATEWAY_NAME.search(arg) for arg in _joined(args))
        yield Finding(grade(settings, passes_gateway=passes), node.path, f"is {name}, which only intercepts TLS", _MEND)
    elif _PRODUCTS.search(node.text.partition("@")[0]):
        yield Finding("sign", node.path, "carries the name of a product that can intercept TLS", _MEND)


def _bare(reference: str) -> str:
    """The last part of an image's or chart's reference, without tag, digest and archive ending."""
    last = reference.partition("@")[0].rstrip("/").rpartition("/")[2].partition(":")[0].lower()
    return re.sub(r"-v?\d+(?:\.\d+)+.*?\.tgz$|\.tgz$", "", last)


def _joined(args: tuple[str, ...]) -> list[str]:
    """Options together with the word after them: `--ignore-hosts` and its pattern may be two words or one."""
    return [f"{one} {other}" for one, other in pairwise((*args, ""))]


def _workload(subject: Subject, settings: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if node.key in {"containers", "initcontainers", "ephemeralcontainers"}:
            for container in node.each():
                image = container.get("image")
                words = tuple(w.text for key in ("command", "args") for w in container.get(key).each())
                if image.open:
                    yield Finding(OPEN, image.path, "runs an image that is not known yet", _MEND)
                found = list(_image(image, settings, words))
                yield from found
                if not found:
                    yield from _program(container, words, settings)


def _program(container: Node, words: tuple[str, ...], settings: Settings) -> Iterator[Finding]:
    program = words[0].rpartition("/")[2].lower() if words else ""
    if program in INTERCEPTORS:
        passes = any("ignore" in arg and _GATEWAY_NAME.search(arg) for arg in _joined(words))
        place = container.get("command" if container.get("command").each() else "args")
        yield Finding(
            grade(settings, passes_gateway=passes), place.path, f"runs {program}, which only intercepts TLS", _MEND
        )


def _configuration(subject: Subject, settings: Settings) -> Iterator[Finding]:
    texts: list[tuple[Node, str]] = []
    for entry, text in entries(subject):
        if entry.open:
            yield Finding(OPEN, entry.path, "holds configuration that is not known yet", _MEND)
        texts += [(entry, text), (entry, str(entry.path[-1]))]
    yield from _judge(texts, settings)


def entries(subject: Subject) -> Iterator[tuple[Node, str]]:
    """The entries of a ConfigMap or Secret with their text, decoded where it must be."""
    for name in ("data", "stringData", "binaryData"):
        encoded = name == "binaryData" or (name == "data" and subject.token.endswith(":secret"))
        held = subject.node.get(name)
        for entry in [held] if held.open else held.children():
            yield entry, _decoded(entry.text) if encoded else entry.text


def _decoded(text: str) -> str:
    if len(text) > _LONGEST_BASE64:
        return ""
    try:
        return base64.b64decode(text, validate=False).decode("utf-8", "replace")
    except ValueError:
        return ""


def _judge(texts: list[tuple[Node, str]], settings: Settings) -> Iterator[Finding]:
    weak: dict[str, Finding] = {}
    harmless = False
    for node, text in texts:
        bumps = list(_BUMP.finditer(text))
        decrypting = next((bump for bump in bumps if bump[1].lower() in _DECRYPTING), None)
        if decrypting is not None:
            passes = _spliced(text, bumps[: bumps.index(decrypting)])
            directive = f"ssl_bump {decrypting[1].lower()}"
            yield Finding(
                grade(settings, passes_gateway=passes), node.path, f"has squid open TLS by `{directive}`", _MEND
            )
            return
        # Squid's port and its certificates open nothing where every step says splice, peek or terminate.
        harmless = harmless or bool(bumps)
        for sign in _SIGNS:
            if sign.pattern.search(text):
                weak.setdefault(sign.kind, Finding("sign", node.path, sign.problem, _MEND))
    if harmless:
        weak = {kind: finding for kind, finding in weak.items() if kind not in {"port", "signing"}}
    if len(weak) > 1:
        first, second, *_ = weak.values()
        yield Finding(grade(settings), first.path, f"{first.problem} and {second.problem}", _MEND)
    else:
        yield from weak.values()


def _spliced(text: str, earlier: list[re.Match[str]]) -> bool:
    """Whether an earlier line splices an ACL that names the gateway's hosts."""
    lists = {word for bump in earlier if bump[1].lower() == "splice" for word in bump[2].split()}
    return any(
        match[1] in lists and _GATEWAY_NAME.search(match[2])
        for match in re.finditer(r"^[ \t]*acl[ \t]+(\S+)([^#\n]*)", text, re.M)
    )


def _helm(subject: Subject, settings: Settings) -> Iterator[Finding]:
    chart = subject.node.get("chart")
    if chart.open:
        yield Finding(OPEN, chart.path, "installs a chart that is not known yet", _MEND)
    yield from _image(chart, settings)
    texts: list[tuple[Node, str]] = []
    for node in subject.node.get("values").walk():
        if node.key in {"image", "repository"} and node.open:
            yield Finding(OPEN, node.path, "runs an image that is not known yet", _MEND)
        elif node.key in {"image", "repository"} and node.text:
            yield from _image(node, settings)
        elif node.text:
            texts.append((node, node.text))
    yield from _judge(texts, settings)


def _cilium(subject: Subject, settings: Settings) -> Iterator[Finding]:
    for egress in [*subject.node.get("spec", "egress").each(), *subject.node.get("specs", "egress").each()]:
        hosts = [
            name for fqdn in egress.get("toFQDNs").each() for name in (fqdn.get("matchName"), fqdn.get("matchPattern"))
        ]
        named = [host.text for host in hosts if host.text]
        met = [name for name in REQUIRED if not named or any(meets(host, name) for host in named)]
        for port in egress.get("toPorts").each():
            terminating = port.get("terminatingTLS")
            if terminating.value is not None and met:
                passes = GATEWAY not in met
                yield Finding(
                    grade(settings, passes_gateway=passes), terminating.path, "has Cilium open outbound TLS", _MEND
                )


def _words(subject: Subject, settings: Settings) -> Iterator[Finding]:
    words = tuple(word.text for word in subject.node.each())
    for word in words:
        name = word.rpartition("=")[2]
        found = list(_image(Node(name), settings, words)) if "/" in name or name in INTERCEPTORS else []
        if found:
            yield found[0]
            return


def _kubernetes(*kinds: str) -> frozenset[str]:
    return frozenset(f"kubernetes:{kind}" for kind in kinds)


WORKLOADS = _kubernetes(
    *(
        f"{group}:{kind}"
        for group in ("apps", "extensions")
        for kind in ("deployment", "daemonset", "replicaset", "statefulset")
    ),
    *(f"core:{kind}" for kind in ("pod", "podtemplate", "replicationcontroller")),
    *(f"batch:{kind}" for kind in ("job", "cronjob")),
)
CONFIGURATION = _kubernetes("core:configmap", "core:secret")

CHECKS = (
    Check(
        "workload",
        "images of pods and of what makes pods, patches and lists included",
        _workload,
        WORKLOADS,
        grades=("terminates", "exempted", "sign"),
    ),
    Check(
        "configuration",
        "text in ConfigMaps and Secrets",
        _configuration,
        CONFIGURATION,
        grades=("terminates", "exempted", "sign"),
    ),
    Check(
        "helm",
        "Helm releases by chart and values",
        _helm,
        HELM,
        grades=("terminates", "exempted", "sign"),
    ),
    Check(
        "cilium",
        "Cilium policies that terminate TLS",
        _cilium,
        _kubernetes("cilium.io:ciliumnetworkpolicy", "cilium.io:ciliumclusterwidenetworkpolicy"),
        grades=("terminates", "exempted"),
    ),
    Check(
        "containers",
        "images in docker, podman, kubectl and helm commands, and interceptors run by commands",
        _words,
        frozenset({WORDS}),
        grades=("terminates", "exempted", "sign"),
    ),
)
