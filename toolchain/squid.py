"""squid: from PATH, else its Debian packages unpacked into the project's tool folder, without root.

Where neither is to be had the run goes on without: the sandbox has a small proxy of its own for that case.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.find import refusal, version_of
from toolchain.records import Record, mark_of
from toolchain.table import SQUID
from toolchain.workshop import Workshop, digest

NAME = "squid"
SYSTEM = ("/usr/sbin", "/usr/local/sbin", "/usr/local/squid/sbin")

#: Runs the unpacked program with the libraries that came with it; two folders up from its own place is its root.
LAUNCHER = """#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/..
for folder in "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*; do
    [ -d "$folder" ] && LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
export LD_LIBRARY_PATH
exec "$root/usr/sbin/squid" "$@"
"""


def ready(shop: Workshop, records: dict[str, Record]) -> Record | None:
    """The record of a squid that is there, or of one that cannot be had while PATH still has none."""
    record = records.get(NAME)
    if record is None or not record.current(_basis()):
        return None
    if record.origin == "none":
        return None if shop.finder.program(NAME, *SYSTEM) else record
    return record if mark_of(shop.folder.bin / NAME) else None


def provide(shop: Workshop) -> Record:
    """Find squid or unpack it; a record of origin `none` says why it cannot be had."""
    if (program := shop.finder.program(NAME, *SYSTEM)) is not None:
        version = version_of(program, ("-v",)) or ""
        if version and SQUID.holds(version):
            shop.report.line(f"squid {version}  found: {program}")
            shop.folder.link(NAME, program)
            return _keep(shop, Record(NAME, version, "path", str(program), _basis(), mark_of(program)))
        shop.report.line(f"squid  {refusal(program, version, SQUID)}")
    try:
        with shop.report.step(NAME, "unpacking Debian packages"):
            version, program = _unpacked(shop)
    except ToolchainError as problem:
        shop.report.line(f"squid  is left out, the sandbox runs a proxy of its own instead: {problem}")
        shop.folder.unlink(NAME)
        return _keep(shop, Record(NAME, "", "none", "", _basis(), note=str(problem)))
    shop.folder.link(NAME, program)
    return _keep(shop, Record(NAME, version, "package", str(program), _basis(), mark_of(program)))


def _unpacked(shop: Workshop) -> tuple[str, Path]:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise ToolchainError("squid is not on PATH, and this is no Debian or Ubuntu to take its packages from")
    aside = shop.folder.aside(NAME)
    downloads = aside / "tmp"
    downloads.mkdir()
    packages, options = _packages(shop, aside)
    env = {**shop.environment, "TMPDIR": str(downloads), "LC_ALL": "C"}
    shop.children.run(NAME, ["apt-get", *options, "download", *packages], cwd=downloads, env=env)
    for package in sorted(downloads.glob("*.deb")):
        shop.children.run(NAME, ["dpkg-deb", "-x", str(package), str(aside)], cwd=downloads, env=env)
    shutil.rmtree(downloads)
    shutil.rmtree(aside / "apt", ignore_errors=True)
    launcher = aside / "bin" / NAME
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    version = version_of(launcher, ("-v",))
    if version is None:
        raise ToolchainError("the unpacked squid does not run on this system")
    return version, shop.folder.settle(aside, f"{NAME}-{version}") / "bin" / NAME


def _packages(shop: Workshop, aside: Path) -> tuple[list[str], list[str]]:
    """The packages that squid needs and the system has not, and apt's options with which they are known.

    With the system's own package lists; where these are missing or old, with lists fetched into our folder.
    """
    own = aside / "apt"
    (own / "lists" / "partial").mkdir(parents=True)
    (own / "archives" / "partial").mkdir(parents=True)
    # `_apt`, to which apt drops its rights as root, may not write in the project's folder.
    common = ["-q", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache={own}"]
    lists = ["-o", f"Dir::State::Lists={own}/lists"]
    env = {**shop.environment, "LC_ALL": "C"}
    for options, refresh in ((common, False), ([*common, *lists], True)):
        if refresh:
            shop.children.run(NAME, ["apt-get", *options, "update"], cwd=aside, env=env)
        simulated = subprocess.run(
            ["apt-get", *options, "--simulate", "--no-install-recommends", "install", "squid"],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        packages = re.findall(r"^Inst (\S+)", simulated.stdout, re.MULTILINE)
        if simulated.returncode == 0 and packages:
            check = ["apt-get", *options, "--print-uris", "download", *packages]
            if subprocess.run(check, env=env, cwd=aside, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
                return packages, options
    raise ToolchainError("apt knows no package squid: its sources have none")


def _basis() -> str:
    return digest(SQUID, LAUNCHER)


def _keep(shop: Workshop, record: Record) -> Record:
    shop.folder.keep(record)
    return record
