"""What a fleet's file has to be, beyond what the models say; all that is wrong is found in one go."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from arcgateway import kubeconfig
from arcgateway.errors import Failure
from arcgateway.fleet import regions
from arcgateway.fleet.description import Cluster, Fleet, Gate, Gateway, Problem, Proxy, Ring
from arcgateway.fleet.document import (
    CLUSTER_FORMS,
    CLUSTERS_PER_GATEWAY_AND_REGION,
    CLUSTERS_PER_STACK,
    GATEWAYS_PER_SUBSCRIPTION,
    NAME_OF_GATEWAY,
    OF_ONE_CLUSTER,
    OTHER_WORDS,
    FleetFile,
    Place,
    owner,
    serving,
)
from arcgateway.fleet.positions import Keys, Twice
from arcgateway.fleet.secrets import Secrets, without
from arcgateway.ids import ConnectedClusterId, GatewayId, cluster_of_entry
from arcgateway.stack_settings import Model, cluster_form, meaning, nearest, path_text, proxy_contradictions
from arcgateway.times import seconds

_PLACE = frozenset(str(field.alias) for field in Place.model_fields.values())
_ASSIGN = "`arcgateway fleet assign` gives places to those that are new, and moves no other"


class Source(Protocol):
    """Where the settings of a fleet come from: a file, or a file and a table together.

    Attributes:
        value: what they are.
        twice: keys that are written twice.
    """

    value: Any
    twice: list[Twice]

    def line(self, path: Keys) -> int:
        """The line of a path's last key, counted from 1."""
        ...


def checked(
    document: Source, folder: Path, env: Mapping[str, str] | None, *, limits: bool = True
) -> tuple[Fleet | None, list[Problem]]:
    """The fleet that a file describes, and everything that is wrong with it; no fleet where a model does not fit.

    Args:
        document: the file.
        folder: where it is, for files that it names.
        env: as for `Fleet.load`.
        limits: whether to look at how much stacks, subscriptions and gateways hold.
    """
    if not isinstance(document.value, Mapping):
        text = "is empty" if document.value is None else "has to be a map of settings"
        return None, [Problem(1, "", f"{text}: begin with `name:`, `rings:`, `gateways:` and `clusters:`")]
    check = _Check(document, folder, env, limits)
    return check.fleet(), [Problem(*found) for found in check.found]


class _Spot(NamedTuple):
    """Where a cluster is: its ring, its region, which of their stacks, and the gateway that the stack has."""

    ring: str
    region: str
    number: int
    gateway: str


@dataclass
class _Check:
    document: Source
    folder: Path
    env: Mapping[str, str] | None
    limits: bool
    #: Line, key and text of each problem, once.
    found: dict[tuple[int, str, str], None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.document.value
        self.known = frozenset(regions.public()) | set(map(_region_name, _list(given.get("regions"))))
        self.defaults = _map(given.get("defaults"))
        self.gateways = _maps(given.get("gateways"))
        self.own = _maps(given.get("clusters"))
        self.clusters = {key: self._with_defaults(key, entry) for key, entry in self.own.items()}
        self.proxies = {
            name: {key: one for key, one in entry.items() if one is not None}
            for name, entry in _maps(given.get("proxies")).items()
        }
        self.subscriptions = [one for one in _list(given.get("subscriptions")) if isinstance(one, str)]
        self.secrets = Secrets(self.env, self.say)

    def say(self, path: Keys, text: str) -> None:
        """Note a problem with what is at a path."""
        self.found[self.document.line(path), path_text(path), text] = None

    def fleet(self) -> Fleet | None:
        """The fleet; every check is made whatever the others find."""
        for twice in self.document.twice:
            self.say_twice(twice)
        for name in sorted(set(self.defaults) - _cluster_keys()):
            hint = (
                f"did you mean {OTHER_WORDS[name]}?" if name in OTHER_WORDS else nearest(name, sorted(_cluster_keys()))
            )
            self.say(("defaults", name), f"is not a setting of a cluster: {hint}")
        for index, region in enumerate(_list(self.document.value.get("regions"))):
            if isinstance(region, str) and re.fullmatch(r"[a-z0-9]{1,30}", region) is None:
                self.say(("regions", index), f"{region!r} is no name of a region: write it like eastus")
        for name in sorted(set(self.defaults) & set(OF_ONE_CLUSTER)):
            self.say(("defaults", name), "differs from cluster to cluster: write it at each")
        file = self._file()
        self._rings()
        self._gateways()
        for name in self.proxies:
            for path, text in proxy_contradictions("", self.secrets.resolved[("proxies", name)], secret=True):
                self.say(("proxies", name, path.removeprefix(".")), text)
        places = self._places()
        if self.limits:
            self._limits(places)
        self._same_clusters()
        self._contexts()
        if file is None or self.found:
            return None
        return self._made(file, places)

    def say_twice(self, twice: Twice) -> None:
        """A key that is there twice, and what it means for a cluster."""
        rings = [_map(value).get("ring") for value in twice.values]
        if (
            len(twice.path) == 2
            and twice.path[0] == "clusters"
            and rings[0] != rings[1]
            and all(isinstance(one, str) for one in rings)
        ):
            text = f"is in two rings, {rings[0]} on line {twice.first_line} and {rings[1]} here: remove one of the two"
        else:
            text = f"is written on line {twice.first_line} too: remove one of the two, or rename it"
        self.found[twice.line, path_text(twice.path), text] = None

    def _with_defaults(self, key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A cluster's settings, completed by those defaults that its form has."""
        shared = {name: one for name, one in self.defaults.items() if name == "existing"}
        form = CLUSTER_FORMS[cluster_form(shared | {**entry})]
        known = {str(one.alias) for one in form.model_fields.values()} - set(OF_ONE_CLUSTER)
        made = {name: one for name, one in self.defaults.items() if name in known} | {**entry}
        # A null takes away a default.
        return {"kubeContext": key} | {name: one for name, one in made.items() if one is not None}

    def at(self, key: str, name: str) -> Keys:
        """Where a cluster's setting is: in its own entry, or in the defaults."""
        return ("defaults", name) if name in self.defaults and name not in self.own[key] else ("clusters", key, name)

    def _cluster(self, key: str) -> dict[str, Any]:
        return self.secrets.of_cluster(key, self.clusters[key], self.at(key, "configurationProtectedSettings"))

    def _file(self) -> FleetFile | None:
        given = self.document.value
        prepared: dict[str, Any] = {**given}
        if isinstance(given.get("clusters"), Mapping):
            prepared["clusters"] = {
                key: self._cluster(key) if key in self.clusters else entry for key, entry in given["clusters"].items()
            }
        if isinstance(given.get("proxies"), Mapping):
            prepared["proxies"] = {
                name: self._beside(self.secrets.of_proxy(name, self.proxies[name]), "certificate")
                if name in self.proxies
                else entry
                for name, entry in given["proxies"].items()
            }
        if isinstance(given.get("preflight"), Mapping):
            prepared["preflight"] = self._beside(given["preflight"], "genuineRoots")
        for name in _map(given.get("allowlist")):
            if name.startswith("firewall"):
                text = "belongs to one stack, and each of a fleet's would write it: declare it in a stack of its own"
                self.say(("allowlist", name), text)
        try:
            return FleetFile.model_validate(prepared)
        except ValidationError as error:
            for detail in error.errors():
                self._say_detail(detail)
        return None

    def _say_detail(self, detail: Any) -> None:
        path, model = owner(detail["loc"])
        key = str(path[-1])
        if path[0] == "clusters" and len(path) > 2:
            path = (*self.at(str(path[1]), str(path[2])), *path[3:])
            if detail["type"] == "extra_forbidden" and key in OTHER_WORDS:
                return self.say(path, f"is not a setting of {model.noun}: did you mean {OTHER_WORDS[key]}?")
            if detail["type"] == "missing" and len(path) == 3:
                return self.say(path, "is missing: add it here, or in `defaults` for all clusters")
        return self.say(path, meaning(detail, model))

    def _beside(self, entry: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Settings whose files are taken from the fleet's folder."""

        def place(value: Any) -> Any:
            return str(self.folder / value) if isinstance(value, str) and "-----BEGIN" not in value else value

        given = entry.get(key)
        placed = [place(one) for one in given] if isinstance(given, list) else place(given)
        return {**entry, key: placed} if key in entry else {**entry}

    def _rings(self) -> None:
        first: dict[str, int] = {}
        for index, ring in enumerate(_list(self.document.value.get("rings"))):
            name = _map(ring).get("name")
            if not isinstance(name, str):
                continue
            path = ("rings", index, "name")
            if name in first:
                self.say(path, f"is the name of another ring on line {self.document.line(('rings', first[name]))}")
            first.setdefault(name, index)
            if name == "gateway" or name.startswith("gateway-"):
                self.say(path, "begins like the names of gateways' stacks: choose another name")
        self.rings = list(first)

    def _gateways(self) -> None:
        counted = defaultdict[str, list[str]](list)
        same: dict[str, str] = {}
        groups: dict[tuple[str, str], str] = {}
        for key, entry in self.gateways.items():
            path: Keys = ("gateways", key)
            if not re.fullmatch(NAME_OF_GATEWAY, key):
                self.say(path, "is no name of a gateway's stack: small letters, digits and hyphens, at most 40")
            for index, region in enumerate(_list(entry.get("regions"))):
                self._region((*path, "regions", index), region)
            identity, subscription = "", ""
            if "id" in entry:
                try:
                    identity = str(GatewayId.parse(str(entry["id"])))
                    subscription = GatewayId.parse(identity).subscription
                except ValueError:
                    continue
            elif "stack" in entry:
                identity = str(entry["stack"])
            else:
                self._region((*path, "location"), entry.get("location"))
                subscription = self._subscription(key, entry)
                group = str(entry.get("resourceGroup")).lower()
                identity = str(GatewayId(subscription, group, str(entry.get("name") or key)))
                if entry.get("createResourceGroup") is True:
                    before = groups.setdefault((subscription.lower(), group), key)
                    if before != key:
                        self.say((*path, "createResourceGroup"), f"gateways.{before} makes that group: remove it here")
            before = same.setdefault(identity.lower(), key)
            if before != key:
                self.say(path, f"is the same gateway as gateways.{before}: remove one of the two")
            elif subscription:
                counted[subscription.lower()].append(key)
        for subscription, keys in counted.items() if self.limits else ():
            for key in keys[GATEWAYS_PER_SUBSCRIPTION:]:
                self.say(
                    ("gateways", key),
                    f"is one gateway too many: the subscription {subscription} has {len(keys)}, and Azure allows "
                    f"{GATEWAYS_PER_SUBSCRIPTION}: give it a `subscriptionId` of another one; where `subscriptions` "
                    f"lists several, {_ASSIGN}",
                )

    def _subscription(self, key: str, entry: Mapping[str, Any]) -> str:
        given = entry.get("subscriptionId") or next(iter(self.subscriptions), None)
        if given is None:
            text = "is missing: write it here, or list `subscriptions` for all gateways"
            self.say(("gateways", key, "subscriptionId"), text)
        return str(given or "")

    def _region(self, path: Keys, given: Any) -> str:
        """The name of a region; empty where it is none, which is told."""
        if not isinstance(given, str):
            return ""
        name = _region_name(given)
        if name in self.known:
            return name
        hint = _nearest_region(name, self.known)
        text = f"{given!r} is no region of Azure's public cloud{hint} One that has opened since goes into `regions`"
        self.say(path, text)
        return ""

    def _places(self) -> dict[str, _Spot]:
        """Where each cluster is, as far as it says so rightly.

        A cluster's place is a function of its own entry and of what the file says of rings and gateways: so no other
        cluster that comes or goes can change it.
        """
        made: dict[str, _Spot] = {}
        serves = cache(self._serving)
        for key, entry in self.clusters.items():
            ring, number, given = entry.get("ring"), entry.get("stack", 1), entry.get("gateway", "")
            if isinstance(ring, str) and ring not in self.rings:
                self.say(self.at(key, "ring"), f"there is no ring {ring!r}: {_known(ring, self.rings)}")
            proxy = entry.get("proxy")
            if isinstance(proxy, str) and proxy not in self.proxies:
                self.say(self.at(key, "proxy"), f"there is no proxy {proxy!r}: {_known(proxy, self.proxies)}")
            region = self._region(self.at(key, "location"), entry.get("location"))
            gateway = given or (serves(region) if region else "")
            if isinstance(given, str) and given and given not in self.gateways:
                self.say(self.at(key, "gateway"), f"there is no gateway {given!r}: {_known(given, self.gateways)}")
            elif region and not gateway and self.gateways:
                text = f"no gateway serves {region}: add the region to the `regions` of one, or name one in `gateway`"
                self.say(("clusters", key), text)
            elif isinstance(ring, str) and isinstance(number, int) and isinstance(gateway, str) and ring and region:
                made[key] = _Spot(ring, region, number, gateway)
        return made

    def _serving(self, region: str) -> str:
        """The first gateway that serves a region; empty where none does."""
        listed = {
            key: [_region_name(one) for one in _list(entry.get("regions"))] for key, entry in self.gateways.items()
        }
        return next(iter(serving(region, listed)), "")

    def _limits(self, places: Mapping[str, _Spot]) -> None:
        """How many clusters stacks and gateways hold, and that a stack has one gateway."""
        size = self.document.value.get("clustersPerStack", CLUSTERS_PER_STACK)
        held, carried = defaultdict[Any, list[str]](list), defaultdict[Any, list[str]](list)
        for key, (ring, region, number, gateway) in places.items():
            held[ring, region, number].append(key)
            if self.clusters[key].get("gateway") is not False:
                carried[gateway, region].append(key)
        for (ring, region, number), keys in held.items():
            stack = f"stack {number} of ring {ring} in {region}"
            if isinstance(size, int) and len(keys) > size:
                self.say(
                    ("clusters", keys[size]), f"{stack} takes {size} clusters, and {len(keys)} are in it: {_ASSIGN}"
                )
            using = [key for key in keys if self.clusters[key].get("gateway") is not False]
            for key in using:
                gateway, others = places[key].gateway, places[using[0]].gateway
                if gateway != others:
                    text = f"uses the gateway {gateway}, and {stack} uses {others} (clusters.{using[0]}): {_ASSIGN}"
                    self.say(("clusters", key), text)
                    break
        for (gateway, region), keys in carried.items():
            if len(keys) > CLUSTERS_PER_GATEWAY_AND_REGION:
                self.say(
                    ("clusters", keys[CLUSTERS_PER_GATEWAY_AND_REGION]),
                    f"the gateway {gateway} carries {CLUSTERS_PER_GATEWAY_AND_REGION:,} clusters of a region, and "
                    f"{len(keys):,} of {region} use it: add a gateway that serves {region}; {_ASSIGN}",
                )

    def _same_clusters(self) -> None:
        named: dict[str, str] = {}
        reached: dict[str, str] = {}
        for key, entry in self.clusters.items():
            if "clusterId" not in entry and "subscriptionId" not in entry:
                text = "is missing: add it here, or in `defaults` for all clusters"
                self.say(("clusters", key, "subscriptionId"), text)
            if (
                "clusterId" not in entry
                and "name" not in entry
                and not re.fullmatch(ConnectedClusterId.name_pattern, key)
            ):
                text = "is no name of a connected cluster: give it a `name` (letters, digits, -, _ and ., at most 63)"
                self.say(("clusters", key), text)
            identity = cluster_of_entry(key, entry, "")
            if identity is not None and (first := named.setdefault(identity, key)) != key:
                rings = self.clusters[first].get("ring"), entry.get("ring")
                what = (
                    f"is in two rings, {rings[1]} here and {rings[0]} as" if rings[0] != rings[1] else "is the same as"
                )
                line = self.document.line(("clusters", first))
                self.say(("clusters", key), f"{what} clusters.{first} (line {line}): remove one of the two")
            context = entry.get("kubeContext")
            if isinstance(context, str) and (first := reached.setdefault(context, key)) != key:
                text = f"{context!r} is the context of clusters.{first} too: each cluster has one of its own"
                self.say(self.at(key, "kubeContext"), text)

    def _contexts(self) -> None:
        if self.env is None or not self.clusters:
            return
        wanted = {key: entry.get("kubeContext") for key, entry in self.clusters.items()}
        try:
            known = set(kubeconfig.contexts(self.env))
        except Failure as failure:
            self.say(("clusters",), str(failure))
            return
        for key, context in wanted.items():
            if isinstance(context, str) and context not in known:
                text = f"there is no context {context!r} in the kubeconfig: `kubectl config get-contexts` lists them"
                self.say(self.at(key, "kubeContext"), text)

    def _made(self, file: FleetFile, places: Mapping[str, _Spot]) -> Fleet:
        clusters = {}
        for key, cluster in file.clusters.items():
            ring, region, number, gateway = places[key]
            config = {name: one for name, one in _dumped(cluster).items() if name not in _PLACE}
            config["location"] = region
            if self.clusters[key].get("gateway") is False:
                config["gateway"] = False
            secrets = self.secrets.taken(("clusters", key))
            clusters[key] = Cluster(key, ring, region, number, gateway, without(config, secrets), secrets)
        proxies = {}
        for name, proxy in file.proxies.items():
            secrets = self.secrets.taken(("proxies", name))
            proxies[name] = Proxy(without(_dumped(proxy), secrets), secrets)
        return Fleet(
            name=file.name,
            organization=file.organization,
            project=file.project,
            clusters_per_stack=file.clusters_per_stack,
            rings=tuple(
                Ring(ring.name, Gate(ring.gate.preflight, ring.gate.connected, int(seconds(ring.gate.pause) or 0)))
                for ring in file.rings
            ),
            gateways={key: self._gateway(key, _dumped(one)) for key, one in file.gateways.items()},
            proxies=proxies,
            clusters=clusters,
            settings=_dumped(file, {"allowlist", "preflight", "drift"}),
        )

    def _gateway(self, key: str, dumped: Mapping[str, Any]) -> Gateway:
        served = tuple(_region_name(one) for one in dumped.get("regions", ()))
        config = {name: one for name, one in dumped.items() if name not in ("regions", "subscriptionId")}
        if "id" in config:
            return Gateway(key, config, False, GatewayId.parse(config["id"]).subscription, "", served)
        if "stack" in config:
            return Gateway(key, config, False, "", "", served)
        region = _region_name(config["location"])
        config |= {"name": config.get("name") or key, "location": region}
        return Gateway(key, config, True, self._subscription(key, dumped), region, served)


@cache
def _cluster_keys() -> frozenset[str]:
    return frozenset(str(one.alias) for form in CLUSTER_FORMS.values() for one in form.model_fields.values())


@cache
def _nearest_region(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (list of {regions.date()}){f': did you mean {near[0]}?' if near else '.'}"


def _region_name(given: Any) -> str:
    """`East US` and `eastus` are one region."""
    return str(given).replace(" ", "").lower()


def _known(wrong: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names) or 'none'}"


def _dumped(model: Model, only: set[str] | None = None) -> dict[str, Any]:
    """What was given, under its keys and in its final form."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True, include=only)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _maps(value: Any) -> dict[str, Mapping[str, Any]]:
    """The entries of a map that are maps themselves."""
    return {name: entry for name, entry in _map(value).items() if isinstance(entry, Mapping)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
