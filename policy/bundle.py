"""Writes the policy pack as a folder that needs nothing outside itself but pinned packages.

    python policy/bundle.py [FOLDER]

What the pack imports is found by reading its text, and the packages by what is imported: there is no list to keep.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).resolve().parents[1]
PACK = "arc_policies"
FACTS = "arcgateway"
#: The environment that `pulumi install` makes in the folder; a folder written anew keeps it.
ENVIRONMENT = "venv"

_CACHES = frozenset({"__pycache__"})
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_PINNED = re.compile(rf"(?P<name>{_NAME.pattern})(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")

README = """\
# Policy pack: Azure Arc gateways

Refuses what breaks Kubernetes clusters behind an Azure Arc gateway, before anything is deployed. What each rule sees,
and what can be set, is in docs/policies.md; pack.toml sets it for the whole pack.

Once, to install the pinned packages into `venv`:

    pulumi install

From this folder, wherever it lies:

    pulumi preview --policy-pack FOLDER
    pulumi up --policy-pack FOLDER

As an organisation's server-side pack, from within this folder:

    pulumi policy publish ORGANISATION
    pulumi policy enable ORGANISATION/arc-gateway latest

This folder is written by `make policy-bundle`; changes belong there.
"""


class BundleError(Exception):
    """Something that the pack needs cannot be put into the folder."""


def bundle(folder: Path, project: Path = PROJECT) -> None:
    """Write the folder, anew where it is there: the same files for the same sources.

    Raises:
        BundleError: naming what is missing.
    """
    files = contents(project)
    if folder.exists() and any(folder.iterdir()) and not (folder / "PulumiPolicy.yaml").is_file():
        raise BundleError(f"{folder} holds something other than a policy pack")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name != ENVIRONMENT:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def contents(project: Path) -> dict[PurePosixPath, bytes]:
    """All files of the folder by their places in it."""
    policy = project / "policy"
    files = {
        PurePosixPath("PulumiPolicy.yaml"): _own_environment(policy / "PulumiPolicy.yaml"),
        PurePosixPath("README.md"): README.encode(),
        # The engine leaves out of a published pack what this file names.
        PurePosixPath(".gitignore"): f"/{ENVIRONMENT}/\n__pycache__/\n".encode(),
        PurePosixPath("LICENSE"): (project / "LICENSE").read_bytes(),
        PurePosixPath("docs/policies.md"): (project / "docs/policies.md").read_bytes(),
    }
    own = [policy / "__main__.py", policy / "pack.toml", *_files(policy / PACK)]
    facts, foreign = _imported(project, [path for path in own if path.suffix == ".py"])
    files |= {PurePosixPath(path.relative_to(policy).as_posix()): path.read_bytes() for path in own}
    files |= {PurePosixPath(path.relative_to(project).as_posix()): path.read_bytes() for path in facts}
    files[PurePosixPath("requirements.txt")] = _requirements(project / "requirements.lock", foreign).encode()
    return dict(sorted(files.items()))


def _own_environment(description: Path) -> bytes:
    text, changed = re.subn(
        r"^( *virtualenv:).*$", rf"\1 {ENVIRONMENT}", description.read_text("utf-8"), flags=re.MULTILINE
    )
    if changed != 1:
        raise BundleError(f"{description.name} names {changed} virtual environments, where it should name one")
    return text.encode()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not _CACHES.intersection(path.parts))


def _imported(project: Path, sources: Iterable[Path]) -> tuple[list[Path], set[str]]:
    """The files of the product's own package that sources need, data included, and the foreign packages' names."""
    waiting, seen, foreign = list(sources), set[Path](), set[str]()
    facts: set[Path] = set()
    while waiting:
        source = waiting.pop()
        if source in seen:
            continue
        seen.add(source)
        tree = ast.parse(source.read_bytes(), source.name)
        for name in _names(tree):
            top = name.partition(".")[0]
            if top == FACTS:
                needed = _modules(project, name)
                facts.update(needed)
                waiting += needed
            elif top != PACK and top not in sys.stdlib_module_names:
                foreign.add(top)
        if source in facts:
            facts.update(_data(tree, source.parent))
    return sorted(facts), foreign


def _names(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a module imports when it runs; of `from a import b` also `a.b`, which may be a module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Both packages are flat, so a relative name is one of the product's own; the pack's come whole anyway.
            base = ".".join(filter(None, (FACTS, node.module))) if node.level else node.module or ""
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (name for branch in node.orelse for name in _names(branch))
        else:
            yield from _names(node)


def _modules(project: Path, name: str) -> list[Path]:
    """The files of a module of the product's, and of the packages around it; none where the name is no module."""
    parts = name.split(".")
    around = [project.joinpath(*parts[: depth + 1], "__init__.py") for depth in range(len(parts))]
    module = project.joinpath(*parts).with_suffix(".py")
    return [path for path in (*around, module) if path.is_file()]


def _data(tree: ast.AST, folder: Path) -> Iterator[Path]:
    """The files beside a module that its text names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.-]+\.\w+", node.value):
            path = folder / node.value
            if path.is_file() and path.suffix != ".py":
                yield path


def _requirements(lock: Path, modules: Iterable[str]) -> str:
    """The lock's entries for the packages that give these modules, and for all that those need."""
    pinned = _pinned(lock.read_text("utf-8"))
    givers = metadata.packages_distributions()
    waiting: list[str] = []
    for module in modules:
        found = [name for name in map(_folded, givers.get(module, ())) if name in pinned]
        if not found:
            raise BundleError(f"no package of {lock.name} gives the module {module}")
        waiting += found
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += _needs(name, pinned, lock.name)
    return "".join(pinned[name][1] for name in sorted(needed))


def _needs(name: str, pinned: Mapping[str, tuple[str, str]], lock: str) -> Iterator[str]:
    """What the installed package says that it needs, which must be of the pinned version to say the same."""
    if metadata.version(name) != pinned[name][0]:
        raise BundleError(f"{name} is installed as {metadata.version(name)}, {lock} pins {pinned[name][0]}")
    for requirement in metadata.requires(name) or ():
        text, _, marker = requirement.partition(";")
        found = _NAME.match(text)
        if found is None or re.search(r"\bextra\b", marker):
            continue
        other = _folded(found[0])
        if other in pinned:
            yield other
        elif not marker:
            raise BundleError(f"{name} needs {other}, which {lock} does not pin")


def _pinned(lock: str) -> dict[str, tuple[str, str]]:
    """Version and text of each entry."""
    entries = re.split(r"^(?=[^\s#])", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE), flags=re.MULTILINE)
    found = ((_PINNED.match(entry), entry) for entry in entries)
    return {_folded(match["name"]): (match["version"], entry) for match, entry in found if match}


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else PROJECT / "dist" / "policy"
    try:
        bundle(folder)
    except BundleError as error:
        sys.stderr.write(f"policy bundle: {error}\n")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
