"""Secrets of a fleet: the file names the environment variables that hold them, never the values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from arcgateway.fleet.positions import Keys
from arcgateway.proxy import ProxyUrl

#: What stands for a secret where there is no environment to take it from: right for each key.
_STAND_INS = {"httpsUrl": "http://proxy.invalid:3128", "httpUrl": "http://proxy.invalid:3128"}

#: Settings of a proxy that may come from the environment, and whether they have to.
_OF_PROXY = {"httpsUrl": False, "httpUrl": False, "username": False, "password": True}

_PROTECTED = "configurationProtectedSettings"

_MEND = "write `{fromEnv: NAME}`, and set that variable where the fleet is deployed"


class Secrets:
    """Finds secrets in settings, and puts values in their places, so that these can be checked.

    Attributes:
        resolved: proxies' settings with values in the places of secrets, by `("proxies", NAME)`.
    """

    def __init__(self, env: Mapping[str, str] | None, say: Callable[[Keys, str], None]) -> None:
        """Begin.

        Args:
            env: where values come from; None for values that merely look right.
            say: takes what is wrong, and where.
        """
        self._env = env
        self._say = say
        self._variables: dict[Keys, dict[tuple[str, ...], str]] = {}
        self.resolved: dict[Keys, dict[str, Any]] = {}

    def taken(self, owner: Keys) -> Mapping[tuple[str, ...], str]:
        """For each path of keys below an owner, the environment variable that holds the secret."""
        return self._variables.get(owner, {})

    def of_proxy(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A proxy's settings with values in the places of secrets."""
        owner: Keys = ("proxies", name)
        made = {
            key: self._value(owner, (key,), (*owner, key), value, must=_OF_PROXY[key]) if key in _OF_PROXY else value
            for key, value in entry.items()
        }
        self.resolved[owner] = made
        return made

    def of_cluster(self, key: str, entry: Mapping[str, Any], at: Keys) -> dict[str, Any]:
        """A cluster's settings with values in the places of secrets.

        Args:
            key: the cluster.
            entry: its settings.
            at: where its protected settings stand in the file.
        """
        given = entry.get(_PROTECTED)
        if not isinstance(given, Mapping):
            return {**entry}
        made = {
            extension: {
                name: self._value(
                    ("clusters", key),
                    (_PROTECTED, str(extension), str(name)),
                    (*at, extension, name),
                    value,
                    must=True,
                )
                for name, value in values.items()
            }
            if isinstance(values, Mapping)
            else values
            for extension, values in given.items()
        }
        return {**entry, _PROTECTED: made}

    def _value(self, owner: Keys, below: tuple[str, ...], at: Keys, given: Any, *, must: bool) -> Any:
        if not isinstance(given, Mapping):
            if must or _holds_password(given):
                self._say(at, f"is a secret in plain text: {_MEND}")
            return given
        variable = given.get("fromEnv")
        if set(given) != {"fromEnv"} or not isinstance(variable, str) or not re.fullmatch(r"[A-Za-z_]\w*", variable):
            what = "is encrypted for one stack" if "secure" in given else "is no text and names no variable"
            self._say(at, f"{what}: {_MEND}")
            return _STAND_INS.get(below[-1], "-")
        self._variables.setdefault(owner, {})[below] = variable
        if self._env is not None and not self._env.get(variable):
            self._say(at, f"the environment has no {variable}: set it where the fleet is deployed")
        return (self._env or {}).get(variable) or _STAND_INS.get(below[-1], "-")


def _holds_password(value: Any) -> bool:
    try:
        return isinstance(value, str) and ProxyUrl.parse(value).password is not None
    except ValueError:
        return False  # what is wrong with it is told where it is checked


def without(config: Mapping[str, Any], paths: Mapping[tuple[str, ...], str]) -> dict[str, Any]:
    """Settings without what stands at some paths, nor what is left empty by that."""
    made = dict(config)
    for first, *rest in paths:
        if not rest:
            made.pop(first, None)
        elif isinstance(made.get(first), Mapping):
            below = without(made[first], {tuple(rest): ""})
            if below:
                made[first] = below
            else:
                del made[first]
    return made
