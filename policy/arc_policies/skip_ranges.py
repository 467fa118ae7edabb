"""Rule `skip-range`: what goes round the proxy (NO_PROXY) is the cluster's own traffic, all of it and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from . import skip_remedy
from .commands import CLIENT_VARIABLE
from .proxies import TOKENS, Asked, Proxies, proxies
from .reading import Node
from .rule import OPEN, Check, Finding, Grade, Level, Rule
from .settings import Settings
from .skip_entries import (
    BLANKS,
    EVERY_ADDRESS,
    EVERYTHING,
    blanks,
    entries,
    every_address,
    has_range,
    judge,
    lacking,
    own_host,
)
from .skip_remedy import SERVICE_RANGES
from .subjects import is_component
from .tokens import Subject

_COMPLETE = "Add what is missing, separated by commas."
_SERVICE_RANGE = (
    "Add the cluster's service range (its ClusterIPs, such as 10.96.0.0/12), by whose addresses agents reach the "
    "Kubernetes API."
)
_OPEN_MEND = (
    "It is judged before the resource is made, where it is known then; a variable of the machine that runs a command "
    "never is, so set it in the command's environment."
)


def _skip_range(subject: Subject, settings: Settings) -> Iterator[Finding]:
    for one in proxies(subject):
        if one.skip.open:
            yield Finding(OPEN, one.skip.path, "has a skip range that is not known yet", _OPEN_MEND)
            continue
        words = entries(one.skip, one.asked)
        yield from _entries(one.skip, words, one.asked)
        yield from _whole(one, words, settings)


def _entries(skip: Node, words: list[Node], asked: Asked) -> Iterator[Finding]:
    known = [word.text for word in words if word.text]
    lowered = {word.lower() for word in known}
    parted = blanks(skip, asked)
    if parted is not None:
        yield Finding(BLANKS.grade, parted.path, BLANKS.problem, BLANKS.mend)
    everywhere = every_address(known)
    if everywhere:
        yield Finding(EVERY_ADDRESS.grade, skip.path, EVERY_ADDRESS.problem, EVERY_ADDRESS.mend)
    for word in words:
        found = judge(word.text, lowered, asked) if word.text else None
        if found is not None and not (everywhere and found.grade == "wide"):
            yield Finding(found.grade, word.path, found.problem, found.mend)


def _whole(one: Proxies, words: list[Node], settings: Settings) -> Iterator[Finding]:
    """What the range lacks, where nobody completes it."""
    known = [word.text for word in words if word.text]
    unknown = next((word for word in words if word.open), None)
    if unknown is not None:
        yield Finding(OPEN, unknown.path, "has entries in the skip range that are not known yet", _OPEN_MEND)
    if own_host(known, one):
        yield Finding(
            "own",
            one.skip.path,
            "has the proxy's own host in the skip range, which no program needs there",
            "Take it out, unless hosts of the same name are to be reached directly.",
        )
    if one.asked is Asked.PROJECT or EVERYTHING in known or unknown is not None:
        return
    # Without a proxy there is nothing to go round; and who keeps what is not given keeps the range that there is.
    if not (one.any if one.asked is Asked.WHOLE else words):
        return
    ranges = settings.get(SERVICE_RANGES)
    missing = lacking(known, ranges)
    if not words:
        yield _absent(one, missing)
    elif missing:
        yield Finding("incomplete", one.skip.path, f"has a skip range without {_listed(missing)}", _COMPLETE)
    elif not ranges and not has_range(known):
        yield Finding("no-range", one.skip.path, "has a skip range without any range of addresses", _SERVICE_RANGE)


def _absent(one: Proxies, missing: list[str]) -> Finding:
    mend = f"Give a skip range with the cluster's service range and {', '.join(missing)}."
    url = next((url for url in (one.https, one.http) if url.text), None)
    if url is None:
        place = one.https if one.https.open else one.http
        return Finding(OPEN, place.path, "may set a proxy, which is not known yet, without a skip range", mend)
    problem = "sets a proxy without a skip range, so that not even the cluster's own traffic goes round it"
    return Finding("incomplete", url.path, problem, mend)


def _listed(missing: list[str]) -> str:
    # A service range comes from the policy's own configuration; messages quote nothing that a program gave.
    return " and ".join(missing)


def _client(subject: Subject, _: Settings) -> Iterator[Finding]:
    if subject.node.open:
        return
    for finding in _entries(subject.node, entries(subject.node, Asked.MACHINE), Asked.MACHINE):
        problem = finding.problem if subject.form else f"is set for a client of Arc and {finding.problem}"
        yield Finding("client", finding.path, problem, finding.mend)


_LEARN = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/quickstart-connect-cluster.md"
_CHECKED = date(2026, 8, 20)
_RUNS = "our runs of Go x/net, urllib, requests, httpx and curl"

RULE = Rule(
    name="skip-range",
    description="What goes round the proxy (NO_PROXY) is the cluster's own traffic, and nothing that Arc must proxy.",
    why=(
        "The agents send every request through the proxy except to what the skip range names: without the "
        "cluster's own names and service addresses they cannot reach Kubernetes itself, and a host of Azure in it is "
        "asked for directly, round the gateway, where a firewall stops it."
    ),
    grades={
        "incomplete": Grade(
            "lacks the documented minimum: .svc, .svc.cluster.local, kubernetes.default.svc, configured service ranges",
            Level.MANDATORY,
            Level.MANDATORY,
            _LEARN,
            _CHECKED,
        ),
        "no-range": Grade(
            "has no range of addresses, where the service range is not configured",
            Level.ADVISORY,
            Level.ADVISORY,
            _LEARN,
            _CHECKED,
        ),
        "endpoint": Grade(
            "sends a host that agents need, or all that `Arc` stands for, round proxy and gateway",
            Level.MANDATORY,
            Level.MANDATORY,
            "arcgateway/endpoints.json; sources of connectedk8s 1.11.2",
            _CHECKED,
        ),
        "all": Grade("sends every host or address round the proxy", Level.MANDATORY, Level.MANDATORY, _RUNS, _CHECKED),
        "dead": Grade("an entry that has no effect in any program", Level.MANDATORY, Level.MANDATORY, _RUNS, _CHECKED),
        "unlike": Grade("an entry that programs read differently", Level.ADVISORY, Level.ADVISORY, _RUNS, _CHECKED),
        "wide": Grade("a wide range of public addresses", Level.ADVISORY, Level.ADVISORY, "our judgement", _CHECKED),
        "own": Grade("the proxy's own host", Level.ADVISORY, Level.ADVISORY, "our judgement", _CHECKED),
        "client": Grade(
            "the same in NO_PROXY of the machine that runs `az`, which is not on the agents' way",
            Level.ADVISORY,
            Level.ADVISORY,
            _RUNS,
            _CHECKED,
        ),
    },
    checks=(
        Check(
            "skip-range",
            "skip ranges of our components and of the driver's environment (which complete them), of "
            "`az connectedk8s connect|update`, PowerShell, Arc's chart (Helm releases and `helm --set`), and of a "
            "connected cluster's `arcAgentryConfigurations` (every version, generic, azapi, templates)",
            _skip_range,
            TOKENS,
            matches=is_component,
            grades=("incomplete", "no-range", "endpoint", "all", "dead", "unlike", "wide", "own"),
        ),
        Check(
            "client",
            "`NO_PROXY` in the environment, or before the command, of `az connectedk8s` and `az arcgateway`",
            _client,
            frozenset({f"{CLIENT_VARIABLE}no_proxy"}),
            grades=("client",),
        ),
    ),
    remedies=skip_remedy.REMEDIES,
    options=(SERVICE_RANGES,),
)
