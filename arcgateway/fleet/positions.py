"""YAML with the line of every key: PyYAML's nodes beside the values that they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

Keys = tuple[int | str, ...]

_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_TIME = "tag:yaml.org,2002:timestamp"
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc]
    """YAML's safe loader, which is libyaml's where that is there; what looks like a date is a text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIME]
        for first, resolvers in _Safe.yaml_implicit_resolvers.items()
    }


class YamlProblem(ValueError):
    """A text is no YAML.

    Attributes:
        line: where, counted from 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Twice:
    """A key that is written a second time in the same map.

    Attributes:
        path: the keys that lead to it, itself included.
        line: where it is written again, counted from 1.
        first_line: where it is written first.
        values: what it holds at each of the two places.
    """

    path: Keys
    line: int
    first_line: int
    values: tuple[Any, Any]


class Document:
    """A YAML text that was read. All keys of maps are texts, as they are written: `on`, `007`, `2026-01-01`.

    Attributes:
        value: what the text holds.
        twice: keys that are written twice; `value` has the later one.
    """

    def __init__(self, text: str) -> None:
        """Read a text.

        Raises:
            YamlProblem: it is no YAML, or more than one document.
        """
        try:
            loader = _Loader(text)
            try:
                self.root: yaml.Node | None = loader.get_single_node()
                self.twice = list(self._prepare(loader)) if self.root is not None else []
                self.value: Any = loader.construct_document(self.root) if self.root is not None else None
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = " ".join(filter(None, (error.context, error.problem)))
            raise YamlProblem(mark.line + 1 if mark else 1, said) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise YamlProblem(line, "there is a control character in it") from None
        except yaml.YAMLError as error:
            raise YamlProblem(1, " ".join(str(error).split())) from None
        except (RecursionError, ValueError, OverflowError):
            raise YamlProblem(1, "it nests too deep, or holds a number that is too large") from None

    def _prepare(self, loader: Any) -> Iterator[Twice]:
        """Make all keys texts, and tell of those that are there twice; a node that aliases share is walked once."""
        seen = set[int]()
        waiting: list[tuple[Keys, yaml.Node]] = [((), self.root)] if self.root else []
        while waiting:
            path, node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                waiting += [((*path, index), item) for index, item in enumerate(node.value)]
            elif isinstance(node, yaml.MappingNode):
                first: dict[str, tuple[yaml.Node, yaml.Node]] = {}
                for key, value in node.value:
                    waiting.append(((*path, str(key.value)), value))
                    if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                        continue
                    key.tag = _TEXT
                    if key.value in first:
                        before, held = first[key.value]
                        values = tuple(_Loader.construct_document(loader, one) for one in (held, value))
                        at = (*path, key.value)
                        yield Twice(at, key.start_mark.line + 1, before.start_mark.line + 1, (values[0], values[1]))
                    else:
                        first[key.value] = key, value

    @cached_property
    def _keys(self) -> dict[int, dict[str, tuple[yaml.Node, yaml.Node]]]:
        return {}

    def entry(self, path: Keys) -> tuple[yaml.Node, yaml.Node] | None:
        """The key's node (an item's own in a list) and the value's node at a path; None where there is none."""
        if self.root is None:
            return None
        at = self.root, self.root
        for part in path:
            node = at[1]
            if isinstance(node, yaml.MappingNode):
                # A merge puts what it brings first, so that the last of a name is what holds.
                known = self._keys.setdefault(id(node), {})
                if not known:
                    known.update({key.value: (key, value) for key, value in node.value if _scalar(key)})
                found = known.get(str(part))
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                found = node.value[part], node.value[part]
            else:
                found = None
            if found is None:
                return None
            at = found
        return at

    def line(self, path: Keys) -> int:
        """The line of a path's last key, counted from 1; of what it is in, where it is not there itself."""
        for length in range(len(path), -1, -1):
            if (found := self.entry(path[:length])) is not None:
                return int(found[0].start_mark.line) + 1
        return 1


def _scalar(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode)


def last_line(node: yaml.Node) -> int:
    """The last line of a node, counted from 0.

    Block collections and texts are said to end where the next thing begins.
    """
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return last_line(last[1] if isinstance(node, yaml.MappingNode) else last)
    ends_before = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and node.end_mark.column == 0
    return int(node.end_mark.line) - (1 if ends_before else 0)
