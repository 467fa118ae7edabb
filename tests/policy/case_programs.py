"""Programs that declare the resources of cases, in Python and in YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import yaml
from engine_runs import PYTHON
from policy_cases import UNKNOWN, Case

from sandbox.plugins.anything import LATER, AnyProvider

Language = Literal["python", "yaml"]
LANGUAGES: tuple[Language, ...] = ("python", "yaml")

_PROVIDER = "pulumi:providers:"
_STEP = re.compile(r"""\[(\d+)\]|\["([^"]*)"\]|([^.\[\]]+)""")


@dataclass(frozen=True)
class Promise:
    """In a resource's properties: a value that a preview does not know, and that an update finds to be this."""

    becomes: Any


@dataclass(frozen=True)
class Placed:
    """A case under a name of its own in a program."""

    name: str
    case: Case

    @property
    def package(self) -> str:
        """Whose provider makes it."""
        kind = self.case.type
        return kind.removeprefix(_PROVIDER) if kind.startswith(_PROVIDER) else kind.partition(":")[0]

    @property
    def provider(self) -> Placed | None:
        """The explicit provider that it asks for."""
        if self.case.provider is None or self.case.type.startswith(_PROVIDER):
            return None
        return Placed(f"{self.name}-provider", Case(self.name, f"{_PROVIDER}{self.package}", self.case.provider))

    @property
    def is_component(self) -> bool:
        """Whether it is one of the project's components, which a Python program makes without a provider."""
        return self.package == "arc-gateway"

    def asks_a_provider(self, language: Language) -> bool:
        """Whether a provider makes it, rather than the engine or the program itself."""
        by_program = self.is_component and language == "python"
        return not by_program and not self.case.type.startswith(_PROVIDER)

    @property
    def promises(self) -> list[Promise]:
        """What an update finds out, each once."""
        return _promises([self])

    @property
    def is_known(self) -> bool:
        """Whether a preview knows all of it."""
        return not self.promises


def promised(one: Placed) -> Placed | None:
    """The same with what decides, the value at the case's path, promised; None where there is none, or more is open."""
    steps = [int(number) if number else quoted or name for number, quoted, name in _STEP.findall(one.case.path or "")]
    if not steps or not one.is_known:
        return None
    props = _promising(one.case.props, steps)
    return None if props is None else replace(one, case=replace(one.case, props=props))


def _promising(value: Any, steps: Sequence[str | int]) -> Any:
    """The value with what lies at the end of the steps promised; None where nothing does."""
    if not steps:
        return Promise(value)
    first, *rest = steps
    inside = isinstance(value, Mapping) if isinstance(first, str) else isinstance(value, list) and first < len(value)
    if not inside or (isinstance(value, Mapping) and first not in value):
        return None
    below = _promising(value[first], rest)
    if below is None:
        return None
    if isinstance(value, Mapping):
        return {**value, first: below}
    return [below if index == first else item for index, item in enumerate(value)]


def previewed(case: Case) -> Case:
    """The case as a preview has it: what is promised is unknown."""

    def seen(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: seen(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [seen(item) for item in value]
        return UNKNOWN if isinstance(value, Promise) else value

    return replace(case, props=seen(case.props))


def program(language: Language, placed: Sequence[Placed]) -> dict[str, str]:
    """The files of a program that declares all these, by name."""
    every = [one for item in placed for one in (item.provider, item) if one is not None]
    return _python(every) if language == "python" else _yaml(every)


def providers(placed: Sequence[Placed]) -> list[AnyProvider]:
    """Providers that take all that a program of these declares."""
    keys: dict[str, dict[str, set[str]]] = {LATER.partition(":")[0]: {LATER: {"becomes", "value"}}}
    for item in placed:
        for one in (item, item.provider):
            if one is not None:
                keys.setdefault(one.package, {}).setdefault(one.case.type, set()).update(one.case.props)
    return [AnyProvider(package, types) for package, types in keys.items()]


def _promises(placed: Sequence[Placed]) -> list[Promise]:
    """Each promise in the properties, once, in order; what is unknown without one is promised to be some text."""
    found: list[Promise] = []

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            for item in value.values():
                walk(item)
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item)
        elif (promise := _promise(value)) is not None and promise not in found:
            found.append(promise)

    for one in placed:
        walk(one.case.props)
    return found


def _promise(value: Any) -> Promise | None:
    return Promise("found out later") if value == UNKNOWN else value if isinstance(value, Promise) else None


_HEAD = '''\
"""Resources of the corpus."""

import pulumi


class Later(pulumi.CustomResource):
    """Something whose `value` only an update knows."""

    def __init__(self, name, becomes):
        super().__init__("{later}", name, {{"becomes": becomes, "value": None}})

    @property
    @pulumi.getter
    def value(self):
        return pulumi.get(self, "value")


class Component(pulumi.ComponentResource):
    """One that passes its inputs on, as the project's own do."""

    def __init__(self, kind, name, props, opts):
        super().__init__(kind, name, props, opts)
        self.register_outputs(props)


'''


def _python(placed: Sequence[Placed]) -> dict[str, str]:
    promises = _promises(placed)
    lines = [f"later_{number} = Later('later-{number}', {one.becomes!r})" for number, one in enumerate(promises)]
    variables: dict[str, str] = {}
    for number, one in enumerate(placed):
        variables[one.name] = variable = f"one_{number}"
        options = [f"protect={one.case.protect}"]
        if one.provider is not None:
            options.append(f"provider={variables[one.provider.name]}")
        kind = one.case.type.removeprefix(_PROVIDER)
        made = (
            "pulumi.ProviderResource"
            if kind != one.case.type
            else "Component"
            if one.is_component
            else "pulumi.CustomResource"
        )
        props = _literal(one.case.props, promises)
        lines.append(
            f"{variable} = {made}({kind!r}, {one.name!r}, {props}, pulumi.ResourceOptions({', '.join(options)}))"
        )
    settings = {"name": "corpus", "runtime": PYTHON}
    text = _HEAD.format(later=LATER) + "\n".join(lines) + "\n"
    return {"Pulumi.yaml": yaml.safe_dump(settings), "__main__.py": text}


def _literal(value: Any, promises: Sequence[Promise]) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_literal(item, promises)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item, promises) for item in value) + "]"
    promise = _promise(value)
    if promise is not None:
        return f"later_{promises.index(promise)}.value"
    return f"pulumi.Output.secret({str(value)!r})" if _secret(value) else repr(value)


def _secret(value: Any) -> bool:
    """Whether a case marks a text as secret."""
    return isinstance(value, str) and getattr(value, "secret", False) is True


def _yaml(placed: Sequence[Placed]) -> dict[str, str]:
    promises = _promises(placed)
    resources: dict[str, Any] = {
        f"later{number}": {"type": LATER, "properties": {"becomes": _tree(one.becomes, ())}}
        for number, one in enumerate(promises)
    }
    keys: dict[str, str] = {}
    for number, one in enumerate(placed):
        keys[one.name] = key = f"one{number}"
        options: dict[str, Any] = {"protect": one.case.protect}
        if one.provider is not None:
            options["provider"] = f"${{{keys[one.provider.name]}}}"
        resources[key] = {
            "type": one.case.type,
            "name": one.name,
            "properties": _tree(one.case.props, promises),
            "options": options,
        }
    return {"Pulumi.yaml": yaml.safe_dump({"name": "corpus", "runtime": "yaml", "resources": resources}, width=1000)}


def _tree(value: Any, promises: Sequence[Promise]) -> Any:
    if isinstance(value, Mapping):
        return {key: _tree(item, promises) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tree(item, promises) for item in value]
    promise = _promise(value)
    if promise is not None:
        return f"${{later{promises.index(promise)}.value}}"
    if not isinstance(value, str):
        return value
    text = value.replace("${", "$${")
    return {"fn::secret": text} if _secret(value) else text


def grouped(placed: Iterable[Placed]) -> Iterator[tuple[Mapping[str, Any], list[Placed]]]:
    """Those that may share a run of the engine: of one configuration of the policies."""
    groups: list[tuple[Mapping[str, Any], list[Placed]]] = []
    for one in placed:
        for config, members in groups:
            if config == one.case.config:
                members.append(one)
                break
        else:
            groups.append((one.case.config, [one]))
    return iter(groups)
