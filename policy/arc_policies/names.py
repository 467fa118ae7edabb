"""The host names that stay in use behind a gateway, and how patterns of host names meet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from arcgateway import endpoints

GATEWAY = "*.gw.arc.azure.com"

#: Stands in the product's data for a label that is not known here.
_ANY = "any"
_ANY_GATEWAY = f"{_ANY}.gw.arc.azure.com"


class Need(NamedTuple):
    """A host name that clusters need, or a pattern of them.

    Attributes:
        name: the name; a leading `*.` stands for what is not known here, or is one of many.
        own: whether any one name of the pattern may be the very one that clusters need.
    """

    name: str
    own: bool


@cache
def needs(regions: tuple[str, ...] = (), scenarios: tuple[str, ...] = ()) -> tuple[Need, ...]:
    """What must stay open although there is a gateway, in these regions (in whichever, when none is named)."""
    return _needs(
        _need(row, region)
        for region in regions or (_ANY,)
        for row in endpoints.required(_ANY_GATEWAY, region, scenarios)
    )


@cache
def superfluous(regions: tuple[str, ...] = (), scenarios: tuple[str, ...] = ()) -> tuple[Need, ...]:
    """What the gateway makes superfluous an hour after the last association, and no cluster needs any more then."""
    kept = {need.name for need in needs(regions, scenarios)}
    found = _needs(
        _need(row, region)
        for region in regions or (_ANY,)
        for row in endpoints.removable(_ANY_GATEWAY, region, scenarios)
    )
    # A pattern that takes in a needed name may not be closed as a whole, and a needed name never.
    return tuple(need for need in found if not any(covers(need.name, name) for name in kept))


def _needs(found: Iterable[Need]) -> tuple[Need, ...]:
    return tuple({need.name: need for need in found}.values())


def _need(row: endpoints.Endpoint, region: str) -> Need:
    name = "*." + row.host.removeprefix(f"{_ANY}.") if row.host.startswith(f"{_ANY}.") else row.host
    regional = row.probe.startswith(f"{region}.") or row.host == "*.his.arc.azure.com"
    return Need(name.replace(f".{_ANY}.", ".*."), own=regional or "*" not in row.host)


#: What an enterprise proxy must let through although there is a gateway, in whichever region: patterns, from the data
#: that the product itself uses.
REQUIRED = tuple(need.name for need in needs())

#: What agents must not reach round their proxy: that, and what the gateway carries for them, which is what the client's
#: keyword `Arc` names too.
THROUGH_PROXY = tuple(
    dict.fromkeys(
        (
            *REQUIRED,
            *(_need(row, _ANY).name for row in endpoints.required(None, _ANY)),
            "*.guestconfiguration.azure.com",
        )
    )
)


def meets(pattern: str, name: str) -> bool:
    """Whether some host name fits both patterns, each a name in which `*` stands for anything."""
    return _meets(_clean(pattern), _clean(name))


def covers(pattern: str, name: str) -> bool:
    """Whether every host name that fits `name` fits `pattern` too; a leading dot stands for a domain and all below."""
    pattern, name = _clean(pattern), _clean(name)
    if pattern.startswith(".") and (name.removeprefix("*").endswith(pattern) or name == pattern[1:]):
        return True
    return _fits(name, pattern)


def families(needs: Iterable[Need]) -> frozenset[str]:
    """The last two labels of each name, by which most other names are told apart at once."""
    return frozenset(_family(need.name) for need in needs)


def related(pattern: str, families: frozenset[str]) -> bool:
    """Whether a pattern may meet a name of these families."""
    family = _family(pattern.strip().lower().partition(":")[0].rstrip("."))
    return family in families or "*" in family or "." not in family


def _family(name: str) -> str:
    return ".".join(name.rsplit(".", 2)[-2:])


def below(domain: str, name: str) -> bool:
    """Whether a zone or domain takes in some host name that fits `name`."""
    domain, name = _clean(domain).removeprefix("*").removeprefix("."), _clean(name)
    if not domain:
        return False
    return name == domain or name.endswith(f".{domain}") or (name.startswith("*.") and domain.endswith(name[1:]))


def host_of(target: str) -> str:
    """The host part of a URL, with or without its scheme, port and path."""
    return target.partition("://")[2].partition("/")[0] if "://" in target else target.partition("/")[0]


def _meets(pattern: str, name: str) -> bool:
    if "*" not in pattern.removeprefix("*") and "*" not in name.removeprefix("*"):
        ours, theirs = pattern.removeprefix("*"), name.removeprefix("*")
        if pattern.startswith("*") and name.startswith("*"):
            return ours.endswith(theirs) or theirs.endswith(ours)
    return _fits(name.replace("*", "x"), pattern) or _fits(pattern.replace("*", "x"), name)


def _fits(name: str, pattern: str) -> bool:
    """Whether a text fits a pattern; without further stars the ends alone tell."""
    if "*" not in pattern:
        return name == pattern
    if "*" not in pattern[1:]:
        return name.endswith(pattern[1:])
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"(?:\\\*)+", ".*", re.escape(pattern)), re.DOTALL)


@lru_cache(maxsize=8192)
def _clean(pattern: str) -> str:
    pattern = pattern.strip().lower().rstrip(".")
    # A bracket is a character class to some, and nothing that a host name has.
    return pattern.replace("[", "").replace("?", "").partition(":")[0]
