"""The mend of a skip range: completed where it stands, in the form that it has, secrets left secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from pulumi_policy.secret import Secret

from arcgateway.proxy import canonical, complete

from .arc_chart import is_arc_chart
from .commands import COMMANDS
from .proxies import CLUSTER, Asked, unescaped
from .reading import Node, fold, plain
from .rule import Remedy
from .settings import Settings, texts
from .skip_entries import entries, lacking
from .subjects import HELM

SERVICE_RANGES = texts(
    "serviceRanges",
    'the service ranges of the clusters, such as `"10.96.0.0/12"`, which every skip range must then hold',
)


def _driver(_: str, props: MutableMapping[str, Any], settings: Settings) -> bool:
    environment = _under(props, "environment")
    if environment is None or not any(_set(environment, name) for name in ("ARC_PROXY_HTTPS", "ARC_PROXY_HTTP")):
        return False
    return _mend(environment, "ARC_PROXY_SKIP_RANGE", Asked.PROJECT, settings)


def _chart(_: str, props: MutableMapping[str, Any], settings: Settings) -> bool:
    if not is_arc_chart(Node(plain(props)).get("chart").text):
        return False
    values = _under(props, "values")
    shared = None if values is None else _under(values, "global")
    if shared is None or not any(_set(shared, name) for name in ("httpsProxy", "httpProxy")):
        return False
    return _mend(shared, "noProxy", Asked.WHOLE, settings)


def _agents(_: str, props: MutableMapping[str, Any], settings: Settings) -> bool:
    configurations = props.get(_spelt(props, "arcAgentryConfigurations"))
    if not isinstance(configurations, Sequence) or isinstance(configurations, str):
        return False
    places = [
        _under(configuration, kind)
        for configuration in configurations
        if isinstance(configuration, Mapping) and configuration.get("feature") == "proxy"
        for kind in ("settings", "protectedSettings")
    ]
    mended = [_mend(place, "no_proxy", Asked.CHANGE, settings) for place in places if place and _set(place, "no_proxy")]
    return any(mended)


def _under(mapping: Mapping[str, Any], name: str) -> Any:
    """The mapping under a key, itself and no copy; None where there is none."""
    below = mapping.get(_spelt(mapping, name))
    return below if isinstance(below, Mapping) else None


def _set(mapping: Mapping[str, Any], name: str) -> bool:
    return bool(mapping.get(_spelt(mapping, name)))


def _spelt(mapping: Mapping[str, Any], name: str) -> str:
    return next((key for key in mapping if fold(key) == fold(name)), name)


def _mend(mapping: MutableMapping[str, Any], name: str, asked: Asked, settings: Settings) -> bool:
    name = _spelt(mapping, name)
    given = mapping.get(name)
    words = entries(Node(plain(given)), asked)
    if any(word.open for word in words):
        return False
    before = [word.text for word in words]
    ranges = settings.get(SERVICE_RANGES)
    try:
        whole = complete(before, service_ranges=ranges)
    except ValueError:
        # An entry that cannot be kept: what was meant by it, nobody can tell.
        return False
    if not lacking(before, ranges) and set(canonical(before)) == set(before):
        return False
    mapping[name] = _in_form(given, whole)
    return True


def _in_form(given: Any, whole: Iterable[str]) -> Any:
    """The entries as a text or a list, as what was given; those of a list that were secret stay so."""
    if given is None or isinstance(given, str):
        comma = "\\," if given and unescaped(given) != given else ","
        return comma.join(whole)
    raw = given if isinstance(given, list) else given["__target"]
    secret = {entry for item in raw if isinstance(item, Secret) for entry in canonical(str(item.value))}
    return [Secret(entry) if entry in secret else entry for entry in whole]


REMEDIES = (
    Remedy("completes the skip range that the driver is told in a command's environment", _driver, COMMANDS),
    Remedy("completes `noProxy` among the values of Arc's chart", _chart, HELM),
    Remedy("completes `no_proxy` in a connected cluster's `arcAgentryConfigurations`", _agents, frozenset({CLUSTER})),
)
