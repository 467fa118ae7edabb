"""Builds tools from pinned Go modules."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from toolchain.children import Children
from toolchain.errors import ToolchainError
from toolchain.table import GoBuild, Tool

#: Where the cluster's programs spend the time of their start. The rest is mostly generated: API types, cloud clients.
HOT = (
    "std",
    "k8s.io/apimachinery/...",
    "k8s.io/apiserver/...",
    "k8s.io/kube-openapi/...",
    "sigs.k8s.io/...",
    "google.golang.org/...",
    "github.com/google/...",
    "go.etcd.io/...",
)

#: The parts of a module's folder that decide what is built from it.
SOURCES = ("go.mod", "go.sum", "*.go")


def variables(environment: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The environment of a build: no Go but this one, no setting of the person's that changes what is built."""
    return {
        **environment,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
        "GOWORK": "off",
        # No C compiler is needed, and the programs run on any Linux of their processor.
        "CGO_ENABLED": "0",
        # The compiler collects its garbage only when memory gets scarce: a fifth less work.
        "GOGC": "1600",
        "GOMEMLIMIT": "2GiB",
        "GOTMPDIR": str(scratch),
        "TMPDIR": str(scratch),
    }


def command(go: Path, tool: Tool, build: GoBuild, target: Path) -> list[str]:
    """The command that writes the program into `target`."""
    linked = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in build.variables.items())])
    # The linker strips what debuggers read, so the compiler need not write it. Inlining is a quarter of its work, and
    # pays where programs spend their time.
    return [
        str(go),
        "build",
        "-gcflags=all=-dwarf=false -l",
        *(f"-gcflags={packages}=-dwarf=false" for packages in HOT),
        "-ldflags",
        linked,
        "-o",
        str(target / tool.name),
        build.package,
    ]


def build(tool: Tool, go: Path, modules: Path, aside: Path, children: Children, environment: Mapping[str, str]) -> None:
    """Build a tool into `aside`/bin.

    Args:
        go: the Go command.
        modules: the folder of the modules' folders.
        aside: an empty folder, on the same file system as where the tool goes.

    Raises:
        ToolchainError: the build failed.
    """
    assert tool.build is not None
    source, scratch = modules / tool.build.module, aside / "tmp"
    scratch.mkdir()
    env = variables(environment, scratch)
    if tool.build.embeds:
        source = _with_embeds(tool.build, source, aside / "source", go, env)
    children.run(tool.name, command(go, tool, tool.build, aside / "bin"), cwd=source, env=env)
    for leftover in (scratch, aside / "source"):
        _remove(leftover)


def prefetch(
    tools: list[Tool], go: Path, modules: Path, scratch: Path, children: Children, environment: Mapping[str, str]
) -> None:
    """Fetch the modules of the builds to come while an earlier one keeps the processors busy; never fails."""
    for module in dict.fromkeys(tool.build.module for tool in tools if tool.build):
        packages = [tool.build.package for tool in tools if tool.build and tool.build.module == module]
        list_them = [str(go), "list", "-e", "-deps", "-f", "{{if .Error}}{{.ImportPath}}{{end}}", *packages]
        children.run("prefetch", list_them, cwd=modules / module, env=variables(environment, scratch), optional=True)


def _with_embeds(build: GoBuild, source: Path, copy: Path, go: Path, env: Mapping[str, str]) -> Path:
    """A copy of the source that has the embedded files beside it: they are large, and not the project's."""
    copy.mkdir()
    for pattern in SOURCES:
        for file in source.glob(pattern):
            shutil.copyfile(file, copy / file.name)
    for module, files in build.embeds:
        folder = _module_folder(module, copy, go, env)
        found = list(folder.glob(files))
        if not found:
            raise ToolchainError(
                f"the Go module {module} has no {files}: its pinned version in {source} is not the right one"
            )
        for file in found:
            shutil.copyfile(file, copy / file.name)
    return copy


def _module_folder(module: str, source: Path, go: Path, env: Mapping[str, str]) -> Path:
    fetched = subprocess.run(
        [go, "mod", "download", module], cwd=source, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if fetched.returncode != 0:
        raise ToolchainError(
            f"the Go module {module} cannot be fetched: {fetched.stderr.strip().splitlines()[-1:] or 'no answer'}; "
            "see to the network or the proxy settings, and run it again"
        )
    answer = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", module],
        cwd=source,
        env=env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return Path(answer.stdout.strip())


def _remove(folder: Path) -> None:
    """Remove a folder of which parts may be read-only."""
    if not folder.exists():
        return
    for root, folders, _ in os.walk(folder):
        for name in folders:
            (Path(root) / name).chmod(0o755)
    shutil.rmtree(folder)
