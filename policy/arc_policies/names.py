"""The host names that stay in use behind a gateway, and how patterns of host names meet."""

from __future__ import annotations

from fnmatch import fnmatchcase

from arcgateway import endpoints

GATEWAY = "*.gw.arc.azure.com"


def _patterns(gateway: str | None) -> tuple[str, ...]:
    """The published names in whichever region, as patterns, from the data that the product itself uses."""
    return tuple(
        "*." + row.host.removeprefix("any.") if row.host.startswith("any.") else row.host
        for row in endpoints.required(gateway, "any")
    )


#: What an enterprise proxy must let through although there is a gateway.
REQUIRED = _patterns("any.gw.arc.azure.com")

#: What agents must not reach round their proxy: that, and what the gateway carries for them, which is what the client's
#: keyword `Arc` names too.
THROUGH_PROXY = tuple(dict.fromkeys((*REQUIRED, *_patterns(None), "*.guestconfiguration.azure.com")))


def meets(pattern: str, name: str) -> bool:
    """Whether some host name fits both patterns, each a name in which `*` stands for anything."""
    pattern, name = _clean(pattern), _clean(name)
    if "*" not in pattern.removeprefix("*") and "*" not in name.removeprefix("*"):
        ours, theirs = pattern.removeprefix("*"), name.removeprefix("*")
        if pattern.startswith("*") and name.startswith("*"):
            return ours.endswith(theirs) or theirs.endswith(ours)
    return fnmatchcase(name.replace("*", "x"), pattern) or fnmatchcase(pattern.replace("*", "x"), name)


def covers(pattern: str, name: str) -> bool:
    """Whether every host name that fits `name` fits `pattern` too."""
    pattern, name = _clean(pattern), _clean(name)
    if pattern.startswith(".") and name.removeprefix("*").endswith(pattern):
        return True
    return fnmatchcase(name, pattern)


def host_of(target: str) -> str:
    """The host part of a URL, with or without its scheme, port and path."""
    return target.partition("://")[2].partition("/")[0] if "://" in target else target.partition("/")[0]


def _clean(pattern: str) -> str:
    pattern = pattern.strip().lower().rstrip(".")
    # A bracket is a character class to fnmatch and nothing that a host name has.
    return pattern.replace("[", "").replace("?", "").partition(":")[0]
