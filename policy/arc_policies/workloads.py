"""Intercepting proxies that a stack deploys: images, charts, configuration, programs, and what a preflight saw."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from .commands import COMMANDS, CONFIGURATION, INTERCEPTORS, WORDS
from .interception import GATEWAY_NAME, INTERCEPTED, MEND, Weak, agree, bare, conclude, covered, image, read
from .manifests import documents
from .names import GATEWAY, REQUIRED, meets
from .proxy_settings import DIRECTIVE, EXEMPTED, INTERCEPTOR, ONE_SIGN, TWO_SIGNS, VERDICT, grade
from .reading import Node, from_json
from .rule import OPEN, Check, Finding, StackCheck
from .settings import Settings
from .shell import decoded
from .subjects import CONTAINER_RESOURCES, HELM, WORKLOADS, containers, is_custom
from .tokens import Subject

_IMAGES = frozenset({"image", "imagename", "repository", "imagerepository", "chart", "chartname"})
#: Entries and charts that may hold a proxy's configuration.
_OF_PROXY = re.compile(
    r"squid|envoy|haproxy|nginx|mitm|proxy|egress|intercept|\.(?:conf|cfg|cpl|sh|xml|ya?ml|json)$", re.IGNORECASE
)
_FILE = re.compile(r'"[^"\n]{0,200}/([^"/\n]{1,200})"')
#: Options whose value is but a name.
_NAMING = frozenset({"--name", "--hostname", "-h", "--network", "--net", "--label", "-l", "--unit"})


Found = Iterator[Finding | Weak]


def _workload(subject: Subject, settings: Settings) -> Found:
    for container in containers(subject.token, subject.node):
        reference = container.get("image")
        words = tuple(word.text for key in ("command", "args", "entrypoints") for word in container.get(key).each())
        if reference.open:
            yield Finding(OPEN, reference.path, "runs an image that is not known yet", MEND)
        yield from image(reference, settings, words)
        for place, text in _texts_of(container):
            yield from read(text, place, settings)


def _texts_of(container: Node) -> Iterator[tuple[Node, str]]:
    """Configuration that a container gets as text; a script after `-c` is read as a command."""
    for variable in container.get("env").each():
        value = variable.get("value")
        if value.text:
            yield value, value.text
    before = ""
    for word in (*container.get("command").each(), *container.get("args").each()):
        if "\n" in word.text and not re.fullmatch(r"-[a-z]*c", before):
            yield word, word.text
        before = word.text


def entries(subject: Subject) -> Iterator[tuple[Node, str]]:
    """The entries of a ConfigMap or Secret with their text, decoded where it must be."""
    for name in ("data", "stringData", "binaryData"):
        encoded = name == "binaryData" or (name == "data" and subject.token.endswith(":secret"))
        held = subject.node.get(name)
        for entry in [held] if held.open else held.children():
            yield entry, decoded(entry.text) if encoded else entry.text


def _configuration(subject: Subject, settings: Settings) -> Found:
    plain = {} if subject.token.endswith(":secret") else subject.node.get("data").value
    files = {name: text for name, text in plain.items() if isinstance(text, str)} if isinstance(plain, dict) else {}
    for entry, text in entries(subject):
        key = str(entry.path[-1])
        if entry.open and (len(entry.path) == 1 or _OF_PROXY.search(key)):
            yield Finding(OPEN, entry.path, "holds configuration that is not known yet", MEND)
        yield from read(_with_files(text, files), entry, settings)
        yield from (one for one in read(key, entry, settings) if isinstance(one, Weak))


def _with_files(text: str, files: Mapping[str, str]) -> str:
    """The text with lists of hosts that lie in entries beside it, as squid's access lists name them."""
    if "acl" not in text:
        return text
    return _FILE.sub(lambda match: " ".join(files.get(match[1], match[0]).split()), text)


def _text(subject: Subject, settings: Settings) -> Found:
    """Configuration as a program would read it, and the images that it names where it is YAML."""
    found = list(read(subject.node.text, subject.node, settings))
    if not any(isinstance(one, Finding) for one in found) and "image" in subject.node.text:
        for document in documents(subject.node.text):
            found += (_moved(one, subject.node) for one in _named_and_written(Node(document), settings))
    yield from found


def _named_and_written(place: Node, settings: Settings) -> list[Finding | Weak]:
    """Images, charts and text anywhere in values or in a custom resource, and what their whole says as one text."""
    found: list[Finding | Weak] = []
    lines: list[str] = []
    for node in place.walk():
        if node.text:
            lines.append(f"{_nearest_key(node)} {node.text}")
        if node.text and _names_an_image(node):
            found += image(node, settings)
        elif node.text:
            found += read(node.text, node, settings)
    if not any(isinstance(one, Finding) for one in found):
        found += read("\n".join(lines), place, settings)
    return found


def _nearest_key(node: Node) -> str:
    return next((step for step in reversed(node.path) if isinstance(step, str)), "")


def _names_an_image(node: Node) -> bool:
    above = str(node.path[-2]).lower() if len(node.path) > 1 else ""
    return node.key in _IMAGES or (node.key == "name" and above == "image")


def _helm(subject: Subject, settings: Settings) -> Found:
    chart = subject.node.get("chart")
    if chart.open:
        yield Finding(OPEN, chart.path, "installs a chart that is not known yet", MEND)
    for node in subject.node.get("values").walk():
        if node.open and node.key in {"image", "repository"}:
            yield Finding(OPEN, node.path, "runs an image that is not known yet", MEND)
    yield from image(chart, settings)
    yield from _named_and_written(subject.node.get("values"), settings)
    for file in subject.node.get("valueYamlFiles").each():
        if file.open and _OF_PROXY.search(bare(chart.text)):
            yield Finding(OPEN, file.path, "holds values that cannot be read here", MEND)
        for document in documents(file.text):
            yield from (_moved(one, file) for one in _named_and_written(Node(document), settings))


def _moved(found: Finding | Weak, place: Node) -> Finding | Weak:
    if isinstance(found, Weak):
        return replace(found, place=place)
    return replace(found, path=place.path)


def _custom(subject: Subject, settings: Settings) -> Found:
    yield from _named_and_written(subject.node.get("spec"), settings)


def _cilium(subject: Subject, settings: Settings) -> Iterator[Finding]:
    for egress in [
        *subject.node.get("spec", "egress").each(),
        *(rule for spec in subject.node.get("specs").each() for rule in spec.get("egress").each()),
    ]:
        hosts = [
            name for fqdn in egress.get("toFQDNs").each() for name in (fqdn.get("matchName"), fqdn.get("matchPattern"))
        ]
        named = [host.text for host in hosts if host.text]
        met = [name for name in REQUIRED if not named or any(meets(host, name) for host in named)]
        for port in egress.get("toPorts").each():
            terminating = port.get("terminatingTLS")
            if terminating.value is not None and met:
                passes = GATEWAY not in met
                name = grade(settings, DIRECTIVE, passes_gateway=passes)
                yield Finding(name, terminating.path, "has Cilium open outbound TLS", MEND)


def _words(subject: Subject, settings: Settings) -> Found:
    words = tuple(word.text for word in subject.node.each())
    if words[-1] in {"--version", "--help", "-h"}:
        return
    found: list[Finding | Weak] = []
    for name in _named(words):
        if "/" in name or bare(name) in INTERCEPTORS:
            found += image(Node(name), settings, words)
    certain = [one for one in found if isinstance(one, Finding)]
    yield from certain[:1] or found


def _named(words: tuple[str, ...]) -> list[str]:
    """The words of a call that name an image, a chart or a program, and not merely a thing."""
    program, options = words[0], pairwise(words)
    if program in {"kubectl", "oc"}:
        inside = words[words.index("--") + 1 :] if "--" in words else ()
        images = [word for before, word in options if before == "--image"]
        return [*images, *(word.rpartition("=")[2] for word in words if "=" in word), *inside]
    if program == "helm":
        charts = [word for word in words[1:] if word[:1] != "-"][2:]
        return [word.rpartition("=")[2] for word in charts]
    named = [word for before, word in options if before not in _NAMING]
    return [words[0], *(word.partition("==")[0].removesuffix(".service") for word in named)]


def _verdicts(subjects: Sequence[Subject], settings: Settings) -> Iterable[tuple[Subject, Finding]]:
    """What the driver's preflight, or one that a command runs, printed."""
    for subject in subjects:
        for place in (subject.node.get("stderr"), subject.node.get("stdout")):
            hosts = _intercepted(place.text)
            if hosts:
                passes = not any(GATEWAY_NAME.search(host) for host in hosts)
                problem = "holds a preflight verdict that saw TLS intercepted"
                name = grade(settings, VERDICT, passes_gateway=passes)
                yield subject, Finding(name, place.path, problem, MEND)
                break


def _intercepted(text: str) -> list[str]:
    if INTERCEPTED not in text:
        return []
    found: list[str] = re.findall(rf"^preflight: (\S+?):\d+ {INTERCEPTED}:", text, re.MULTILINE)
    for node in Node(from_json(text)).walk():
        if isinstance(node.value, dict) and node.get("cause").text == INTERCEPTED:
            found.append(node.get("host").text)
    return found


def _kubernetes(*kinds: str) -> frozenset[str]:
    return frozenset(f"kubernetes:{kind}" for kind in kinds)


CONFIG_MAPS = _kubernetes("core:configmap", "core:secret")
_CILIUM = _kubernetes("cilium.io:ciliumnetworkpolicy", "cilium.io:ciliumclusterwidenetworkpolicy")
_TEXT_GRADES = (INTERCEPTOR, DIRECTIVE, TWO_SIGNS, VERDICT, EXEMPTED, ONE_SIGN)


def _text_check(
    name: str,
    covers: str,
    tokens: frozenset[str] = frozenset(),
    matches: Callable[[str], bool] | None = None,
    grades: tuple[str, ...] = _TEXT_GRADES,
) -> Check:
    def run(subject: Subject, settings: Settings) -> Iterator[Finding]:
        return conclude(_SIGNS[name](subject, settings), settings)

    return Check(name, covers, run, tokens, matches, grades)


#: What finds the signs in one subject, by the check's name.
_SIGNS: Mapping[str, Callable[[Subject, Settings], Found]] = {
    "workload": _workload,
    "configuration": _configuration,
    "written": _text,
    "helm": _helm,
    "custom": _custom,
    "programs": _words,
}

_TEXT_CHECKS = (
    _text_check(
        "workload",
        "pods and what makes pods (patches, lists, init containers), containers of docker and of Azure: images, "
        "the same forms of text in variables and arguments",
        WORKLOADS | CONTAINER_RESOURCES,
    ),
    _text_check("configuration", f"text in ConfigMaps and Secrets; {covered()}", CONFIG_MAPS),
    _text_check(
        "written",
        "the same forms of text, where a command or a machine's custom data writes it",
        frozenset({CONFIGURATION}),
    ),
    _text_check("helm", "Helm releases and charts by name; the same forms of text in values and value files", HELM),
    _text_check(
        "custom",
        "custom resources (Argo, Flux, Knative, Istio) by images, charts and the same forms of text in their `spec`",
        matches=lambda token: is_custom(token) and token not in _CILIUM,
    ),
    _text_check(
        "programs",
        "interceptors run by commands, pods and machines, also as Python tools; images in docker, podman, kubectl and "
        "helm commands",
        frozenset({WORDS}),
        grades=(INTERCEPTOR, EXEMPTED, ONE_SIGN),
    ),
)

CHECKS = (
    *_TEXT_CHECKS,
    Check("cilium", "Cilium policies that terminate TLS", _cilium, _CILIUM, grades=(DIRECTIVE, EXEMPTED)),
)


def _together(subjects: Sequence[Subject], settings: Settings) -> Iterable[tuple[Subject, Finding]]:
    """Signs of one product in several resources, none of which is conclusive: such are refused by themselves."""
    signs: list[tuple[Subject, Weak]] = []
    for subject in subjects:
        for check in _TEXT_CHECKS:
            if not check.sees(subject.token):
                continue
            found = list(_SIGNS[check.name](subject, settings))
            if all(one.grade in (OPEN, ONE_SIGN) for one in conclude(found, settings)):
                signs += ((subject, one) for one in found if isinstance(one, Weak))
    for (about, one), (beside, other) in agree(signs):
        name = beside.resource.name if beside.resource else "another resource"
        problem = f"{one.problem}, and {name} {other.problem}"
        yield about, Finding(grade(settings, TWO_SIGNS), one.place.path, problem, MEND)


STACK_CHECKS = (
    StackCheck(
        "verdict",
        "what the preflight of this project's components printed, or a command that runs it",
        _verdicts,
        COMMANDS,
        grades=(VERDICT, EXEMPTED),
    ),
    StackCheck(
        "together",
        "two signs of one product (squid, HAProxy, or one that both an image and an authority are named after) in "
        "different resources, in any of the forms of text above",
        _together,
        matches=lambda token: any(check.sees(token) for check in _TEXT_CHECKS),
        grades=(TWO_SIGNS, EXEMPTED),
    ),
)
