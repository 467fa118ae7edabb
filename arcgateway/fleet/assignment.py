"""Writes into a fleet's file what a place in it needs: the stacks of clusters, subscriptions of gateways.

A stack or a subscription that is full takes no more, and what is deployed must not move. The file does not say what is
deployed. So each cluster's place is written at the cluster itself, and here only to those that are new: those that are
named, or that have no place of their own among others that have one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from arcgateway.errors import Failure
from arcgateway.fleet.checks import checked
from arcgateway.fleet.description import Cluster, Fleet, FleetError
from arcgateway.fleet.document import CLUSTERS_PER_GATEWAY_AND_REGION, GATEWAYS_PER_SUBSCRIPTION, serving
from arcgateway.fleet.positions import Document

_WHICH = (
    "name the clusters and gateways that are new with --new KEY, or say --all-new where nothing is deployed; where "
    "each has a place of its own already, move some by hand"
)

#: What is written: for the path of an entry, keys and values.
Changes = Mapping[tuple[str, str], Mapping[str, str | int]]


@dataclass(frozen=True)
class Assigned:
    """A file in which everything has its place.

    Attributes:
        text: the file's text, else as it was.
        changes: what was written.
    """

    text: str
    changes: Changes


def assign(text: str, path: Path, new: Collection[str] = (), *, all_new: bool = False) -> Assigned:
    """Give new clusters and gateways places, and write them into the file's text; nothing else moves.

    Args:
        text: the file's text.
        path: the file, for messages and for files that it names.
        new: keys of clusters and gateways that are not deployed yet.
        all_new: whether nothing is deployed, so that all that have no place of their own are new.

    Raises:
        FleetError: something else is wrong with the file, or it has more than these places can mend.
        Failure: a key is in the file neither as a cluster nor as a gateway, or an entry cannot be edited.
    """
    document = Document(text)
    fleet, problems = checked(document, path.parent, None, limits=False)
    if fleet is None or problems:
        raise FleetError(path, problems)
    if unknown := sorted(set(new) - set(fleet.clusters) - set(fleet.gateways)):
        raise Failure(f"{path} has no cluster and no gateway {', '.join(unknown)}", "name those that are new")
    plan = _Plan(fleet, document.value, frozenset(new), all_new)
    plan.gateways()
    plan.clusters()
    made = edited(text, plan.changes)
    again = Document(made)
    _, problems = checked(again, path.parent, None)
    if problems:
        raise FleetError(path, problems, _WHICH)
    return Assigned(made, plan.changes)


@dataclass
class _Plan:
    fleet: Fleet
    given: Mapping[str, Any]
    new: frozenset[str]
    all_new: bool
    changes: dict[tuple[str, str], dict[str, str | int]] = field(default_factory=lambda: defaultdict(dict))

    def gateways(self) -> None:
        """Spread the fleet's own gateways that are new over the subscriptions, the emptiest first."""
        own = [key for key, one in self.fleet.gateways.items() if one.own]
        written = {key: self.given["gateways"][key].get("subscriptionId") for key in own}
        subscriptions: list[str] = self.given.get("subscriptions", [])
        if not subscriptions:
            return
        new = self._new(own, {key for key, one in written.items() if one is not None}, subscriptions[0], written)
        held = Counter(one.subscription.lower() for key, one in self.fleet.gateways.items() if key not in new)
        crowded = held[subscriptions[0].lower()] + len(new) > GATEWAYS_PER_SUBSCRIPTION
        if not crowded and not any(key in self.new for key in new):
            return
        for key in own:
            if key in new:
                chosen = min(subscriptions, key=lambda one: held[one.lower()])
                held[chosen.lower()] += 1
                self.changes["gateways", key]["subscriptionId"] = chosen
            elif written[key] is None:
                self.changes["gateways", key]["subscriptionId"] = self.fleet.gateways[key].subscription

    def clusters(self) -> None:
        """Put new clusters into the first stacks of their ring and region that have room and their gateway."""
        groups: dict[tuple[str, str], list[Cluster]] = defaultdict(list)
        for cluster in self.fleet.clusters.values():
            groups[cluster.ring, cluster.region].append(cluster)
        new = {key for group in groups.values() for key in self._new_of(group)}
        carried = Counter((one.gateway, one.region) for one in self._using(self.fleet.clusters.values(), new))
        for group in groups.values():
            self._group(group, [one for one in group if one.key in new], carried)

    def _new_of(self, group: Iterable[Cluster]) -> set[str]:
        written = {one.key: self.given["clusters"][one.key].get("stack") for one in group}
        return self._new(written, {key for key, number in written.items() if number is not None}, 1, written)

    def _new(self, keys: Iterable[str], placed: set[str], first: object, written: Mapping[str, object]) -> set[str]:
        """Which of some keys are new.

        Those without a place of their own stand in the first one. That they are not new is only known where none of
        them has that place written down: where one has, all that were there got it in writing.
        """
        all_new = self.all_new or any(one == first for one in written.values())
        return {key for key in keys if key in self.new or (all_new and key not in placed)}

    @staticmethod
    def _using(clusters: Iterable[Cluster], without: Collection[str] = ()) -> list[Cluster]:
        return [one for one in clusters if one.config.get("gateway") is not False and one.key not in without]

    def _group(self, group: list[Cluster], new: list[Cluster], carried: Counter[tuple[str, str]]) -> None:
        if not new:
            return
        size = self.fleet.clusters_per_stack
        settled = [one for one in group if one not in new]
        held = Counter(one.number for one in settled)
        gateways = {one.number: one.gateway for one in self._using(settled)}
        places: dict[str, tuple[int, str]] = {}
        for one in new:
            gateway = self._gateway(one, carried)
            number = 1
            while held[number] >= size or gateways.get(number, gateway) != gateway:
                number += 1
            held[number] += 1
            if one in self._using([one]):
                gateways[number] = gateway
                carried[gateway, one.region] += 1
            places[one.key] = number, gateway
        stays = all(places[one.key] == (1, one.gateway) for one in new)
        if stays and set(held) <= {1}:
            return  # one stack holds all, as where nothing is written
        for one in group:
            number, gateway = places.get(one.key, (one.number, one.gateway))
            if self.given["clusters"][one.key].get("stack") != number:
                self.changes["clusters", one.key]["stack"] = number
            if gateway != one.gateway:
                self.changes["clusters", one.key]["gateway"] = gateway

    def _gateway(self, cluster: Cluster, carried: Counter[tuple[str, str]]) -> str:
        """The gateway of a new cluster: its own, or the first that serves its region and has room."""
        own = self.given["clusters"][cluster.key].get("gateway", self.given.get("defaults", {}).get("gateway", ""))
        if own or own is False:
            return cluster.gateway
        listed = {key: one.regions for key, one in self.fleet.gateways.items()}
        room = (
            key
            for key in serving(cluster.region, listed)
            if carried[key, cluster.region] < CLUSTERS_PER_GATEWAY_AND_REGION
        )
        return next(room, cluster.gateway)


def edited(text: str, changes: Changes) -> str:
    """A YAML text with keys written into entries; all else stays as it stands, comments too.

    Raises:
        Failure: an entry is not written out where its key is.
    """
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    entries = {
        (section, key.value): value
        for section in {section for section, _ in changes}
        for key, value in _child(root, section).value
    }
    shared = Counter(id(node) for node in entries.values())
    edits: list[tuple[int, int, str]] = []
    for (section, key), values in changes.items():
        node = entries.get((section, key))
        if not isinstance(node, yaml.MappingNode) or shared[id(node)] > 1:
            raise Failure(f"{section}.{key} is not written out where its key is", "write out its settings there")
        end = text.find("\n")
        newline = "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"
        edits += _edits(text, node, values, newline)
    for start, end, inserted in sorted(edits, reverse=True):
        text = text[:start] + inserted + text[end:]
    return text


def _edits(
    text: str, node: yaml.MappingNode, values: Mapping[str, str | int], newline: str
) -> list[tuple[int, int, str]]:
    """For each edit where it begins and ends, and what stands there then."""
    there = {key.value: value for key, value in node.value}
    made = [
        (there[name].start_mark.index, there[name].end_mark.index, str(values[name])) for name in values.keys() & there
    ]
    added = [f"{name}: {value}" for name, value in values.items() if name not in there]
    if added and not node.value:
        start = text.index("{", node.start_mark.index) + 1
        made.append((start, start, ", ".join(added)))
    elif added:
        first = node.value[0][0].start_mark
        between = ", " if node.flow_style else newline + " " * first.column
        made.append((first.index, first.index, "".join(one + between for one in added)))
    return made


def _child(root: yaml.Node | None, key: str) -> yaml.MappingNode:
    assert isinstance(root, yaml.MappingNode)
    found = next(value for name, value in root.value if name.value == key)
    assert isinstance(found, yaml.MappingNode)
    return found
