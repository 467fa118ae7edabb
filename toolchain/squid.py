"""squid: from PATH, else its Debian packages unpacked into the project's tool folder, without root.

Where neither is to be had the run goes on without: the sandbox has a small proxy of its own for that case. A second
one, built with OpenSSL and so able to open TLS, is an extra that tests run as the proxy that intercepts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.find import refusal, version_of
from toolchain.records import Record, mark_of
from toolchain.table import SQUID
from toolchain.workshop import Workshop, digest

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


@dataclass(frozen=True)
class Squid:
    """A squid of one build.

    Attributes:
        name: of the tool, and of its Debian package.
        built_with: the option that it must say it was built with; empty for any build.
        optional: whether the run goes on without it.
    """

    name: str
    built_with: str = ""
    optional: bool = False

    def ready(self, shop: Workshop, records: dict[str, Record]) -> Record | None:
        """The record of a squid that is there, or of one that cannot be had while PATH still has none."""
        record = records.get(self.name)
        if record is None or not record.current(self._basis()):
            return None
        if record.origin == "none":
            return None if shop.finder.program("squid", *SYSTEM) else record
        return record if mark_of(shop.folder.bin / self.name) else None

    def provide(self, shop: Workshop) -> Record:
        """Find it or unpack it; a record of origin `none` says why an optional one cannot be had.

        Raises:
            ToolchainError: it cannot be had, and is not optional.
        """
        if (program := shop.finder.program("squid", *SYSTEM)) is not None:
            version = version_of(program, ("-v",)) or ""
            if not version or not SQUID.holds(version):
                shop.report.line(f"{self.name}  {refusal(program, version, SQUID)}")
            elif not self._built_right(program):
                shop.report.line(f"{self.name}  {program} will not do: it is built without {self.built_with}")
            else:
                shop.report.line(f"{self.name} {version}  found: {program}")
                shop.folder.link(self.name, program)
                return _keep(shop, Record(self.name, version, "path", str(program), self._basis(), mark_of(program)))
        try:
            with shop.report.step(self.name, "unpacking Debian packages"):
                version, program = self._unpacked(shop)
        except ToolchainError as problem:
            if not self.optional:
                raise
            shop.report.line(f"{self.name}  is left out, the sandbox runs a proxy of its own instead: {problem}")
            shop.folder.unlink(self.name)
            return _keep(shop, Record(self.name, "", "none", "", self._basis(), note=str(problem)))
        shop.folder.link(self.name, program)
        return _keep(shop, Record(self.name, version, "package", str(program), self._basis(), mark_of(program)))

    def _built_right(self, program: Path) -> bool:
        if not self.built_with:
            return True
        told = subprocess.run([program, "-v"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        return self.built_with in told.stdout

    def _unpacked(self, shop: Workshop) -> tuple[str, Path]:
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise ToolchainError(
                f"{self.name} is not on PATH, and this is no Debian or Ubuntu to take its packages from"
            )
        aside = shop.folder.aside(self.name)
        downloads = aside / "tmp"
        downloads.mkdir()
        packages, options = self._packages(shop, aside)
        env = {**shop.environment, "TMPDIR": str(downloads), "LC_ALL": "C"}
        shop.children.run(self.name, ["apt-get", *options, "download", *packages], cwd=downloads, env=env)
        for package in sorted(downloads.glob("*.deb")):
            shop.children.run(self.name, ["dpkg-deb", "-x", str(package), str(aside)], cwd=downloads, env=env)
        shutil.rmtree(downloads)
        shutil.rmtree(aside / "apt", ignore_errors=True)
        launcher = aside / "bin" / self.name
        launcher.write_text(LAUNCHER)
        launcher.chmod(0o755)
        version = version_of(launcher, ("-v",))
        if version is None:
            raise ToolchainError(f"the unpacked {self.name} does not run on this system")
        return version, shop.folder.settle(aside, f"{self.name}-{version}") / "bin" / self.name

    def _packages(self, shop: Workshop, aside: Path) -> tuple[list[str], list[str]]:
        """The packages that it needs and the system has not, and apt's options with which they are known.

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
                shop.children.run(self.name, ["apt-get", *options, "update"], cwd=aside, env=env)
            simulated = subprocess.run(
                ["apt-get", *options, "--simulate", "--no-install-recommends", "install", self.name],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            packages = re.findall(r"^Inst (\S+)", simulated.stdout, re.MULTILINE)
            if simulated.returncode == 0 and packages:
                check = ["apt-get", *options, "--print-uris", "download", *packages]
                if (
                    subprocess.run(check, env=env, cwd=aside, stdin=subprocess.DEVNULL, capture_output=True).returncode
                    == 0
                ):
                    return packages, options
        raise ToolchainError(f"apt knows no package {self.name}: its sources have none")

    def _basis(self) -> str:
        return digest(SQUID, LAUNCHER, *([self.built_with] if self.built_with else []))


PLAIN = Squid("squid", optional=True)

#: What Debian's plain build lacks: `ssl_bump`.
OPENSSL = Squid("squid-openssl", "--with-openssl")


def _keep(shop: Workshop, record: Record) -> Record:
    shop.folder.keep(record)
    return record
