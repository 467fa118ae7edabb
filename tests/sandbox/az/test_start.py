"""Cheap to start, and started from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from az_world import AZ

from sandbox.home import PROJECT

COSTLY = ("requests", "urllib3", "yaml", "jmespath", "tabulate", "cryptography", "ssl", "http.client", "sandbox.azure")


def test_no_costly_module_is_imported_for_a_command_that_needs_none(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sandbox.az.__main__ import main\nassert main(['connectedk8s', 'update', '-n', 'a']) == 2\n"
        f"print([name for name in {COSTLY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n", done.stderr


def test_a_network_command_imports_no_http_library_and_nothing_of_the_simulator(tmp_path: Path) -> None:
    code = (
        "import sys\nimport sandbox.az.arm, sandbox.az.connectedk8s.connect\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('requests', 'urllib3', 'yaml', 'cryptography')"
        " or name.startswith(('sandbox.azure', 'sandbox.home', 'sandbox.world'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n", done.stderr


def test_the_launcher_finds_its_checkout_through_links_and_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "first").symlink_to(AZ)
    (tmp_path / "links/az").symlink_to("../first")
    done = subprocess.run(
        [str(tmp_path / "links/az"), "version", "--query", "extensions.connectedk8s", "-o", "tsv"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (0, "1.11.2\n"), done.stderr
