"""The parts with ways of their own: language hosts, plugins, squid, the command, the real table."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from made_up_machine import Machine, tool

from toolchain import command, table
from toolchain.engine import Engine
from toolchain.errors import ToolchainError
from toolchain.node_tools import NODE_TOOLS, NodeTool
from toolchain.python_tools import PYTHON_TOOLS, PythonTool
from toolchain.table import Range

REPOSITORY = Path(__file__).resolve().parents[2]
HOST = "pulumi-language-python"


def test_an_official_pulumi_brings_its_language_hosts(machine: Machine, tmp_path: Path) -> None:
    installed = tmp_path / "opt"
    for name in ("pulumi", HOST, f"{HOST}-exec", "pulumi-language-yaml"):
        machine.program(name, "v2.1.0", installed)
    machine.path.joinpath("pulumi").symlink_to(installed / "pulumi")
    engine = machine.engine(tool("pulumi"), tool("pulumi-language-yaml", ask=(), beside="pulumi"))
    records = engine.provide(["pulumi", "pulumi-language-yaml", HOST])
    assert [record.origin for record in records.values() if record] == ["path"] * 3
    linked = machine.project / ".local/toolchain/bin"
    for name in (HOST, f"{HOST}-exec", "pulumi-language-yaml"):
        assert (linked / name).resolve() == installed / name
    assert machine.builds() == []


def test_our_own_host_is_launched_from_beside_a_built_pulumi(machine: Machine) -> None:
    engine = machine.engine(tool("pulumi"), tool("pulumi-language-yaml", ask=(), beside="pulumi"))
    engine.provide(["pulumi", "pulumi-language-yaml", HOST])
    root = machine.project / ".local/toolchain"
    # The engine warns of a host that is on PATH and not beside it, links resolved.
    for name in (HOST, "pulumi-language-yaml"):
        assert (root / "bin" / name).resolve() == root / "pulumi-2.0.0/bin" / name
    machine.program("python", '#!/bin/sh\necho "$@"', machine.project / ".venv/bin")
    answer = subprocess.run([root / "bin" / HOST, "engine:1"], capture_output=True, text=True)
    host, argument = answer.stdout.split()
    assert Path(host).resolve() == machine.project / "sandbox/language_host.py" and argument == "engine:1"


def test_a_pulumi_that_is_built_anew_gets_its_hosts_back(machine: Machine) -> None:
    rows = [tool("pulumi"), tool("pulumi-language-yaml", ask=(), beside="pulumi")]
    machine.engine(*rows).provide(["pulumi", "pulumi-language-yaml", HOST])
    rows[0] = tool("pulumi", accepts=Range((1,), (3,)))
    machine.engine(*rows).provide(["pulumi"])
    assert all(machine.engine(*rows).provide(["pulumi", "pulumi-language-yaml", HOST]).values())
    assert machine.builds().count("example.com/pulumi") == 2
    for name in (HOST, "pulumi-language-yaml"):
        assert (machine.project / ".local/toolchain/bin" / name).exists()


def test_a_host_that_was_there_before_pulumi_moves_beside_it(machine: Machine) -> None:
    rows = [tool("pulumi"), tool("pulumi-language-yaml", ask=(), beside="pulumi")]
    machine.engine(*rows).provide(["pulumi-language-yaml"])
    machine.engine(*rows).provide(["pulumi"])
    linked = (machine.project / ".local/toolchain/bin/pulumi-language-yaml").resolve()
    assert linked.parent == machine.project / ".local/toolchain/pulumi-2.0.0/bin"
    assert machine.builds() == ["example.com/pulumi-language-yaml", "example.com/pulumi"]


def test_a_plugin_that_pulumi_keeps_is_used_if_its_folder_says_the_right_version(machine: Machine) -> None:
    for version in ("1.2.0", "1.8.0"):
        machine.program("pulumi-resource-fake", "", machine.home / f"plugins/resource-fake-v{version}")
    fake = tool("pulumi-resource-fake", ask=(), plugin="resource-fake")
    record = machine.engine(fake).provide(["pulumi-resource-fake"])["pulumi-resource-fake"]
    assert record is not None and (record.version, record.origin) == ("1.8.0", "path")


def test_squid_that_cannot_be_had_is_left_out_and_said_so(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.squid.SYSTEM", ())
    monkeypatch.setattr("shutil.which", _without("apt-get"))
    record = machine.engine().provide(["squid"])["squid"]
    assert record is not None and record.origin == "none"
    assert any("squid  is left out" in line for line in machine.screen.lines())
    assert machine.engine().look()["squid"] == record
    machine.program("squid", "Squid Cache: Version 6.10")
    monkeypatch.undo()
    assert machine.engine().look()["squid"] is None
    record = machine.engine().provide(["squid"])["squid"]
    assert record is not None and (record.version, record.origin) == ("6.10", "path")


def test_a_squid_on_path_will_do_for_opening_tls_if_it_is_built_for_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.squid.SYSTEM", ())
    monkeypatch.setattr("shutil.which", _without("apt-get"))
    machine.program("squid", "Squid Cache: Version 6.10 configure options: --with-gnutls")
    with pytest.raises(ToolchainError, match="squid-openssl is not on PATH, and this is no Debian"):
        machine.engine().provide(["squid-openssl"])
    assert any("it is built without --with-openssl" in line for line in machine.screen.lines())
    assert machine.leftovers() == [] and "squid-openssl" not in machine.engine().provide(["squid"])

    machine.program("squid", "Squid Cache: Version 6.10 configure options: --with-openssl")
    record = machine.engine().provide(["squid-openssl"])["squid-openssl"]
    assert record is not None and (record.version, record.origin) == ("6.10", "path")
    assert (machine.project / ".local/toolchain/bin/squid-openssl").resolve().name == "squid"


def _without(name: str) -> object:
    import shutil

    real = shutil.which
    return lambda program, *args, **options: None if program == name else real(program, *args, **options)


def test_the_command_reports_as_json_and_refuses_an_unknown_name(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "Engine", lambda shop: machine.engine(tool("one")))
    assert command.run(machine.project, "provide", ["two"], as_json=False) == 2
    assert "there is no tool two" in capsys.readouterr().err
    assert command.run(machine.project, "provide", ["one"], as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["one"]["origin"] == "build" and Path(answer["one"]["path"]).is_file()
    assert command.run(machine.project, "status", [], as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(".venv") and "missing: run `make toolchain`" in line for line in lines)
    assert any(line.split()[:3] == ["one", "2.0.0", "build"] for line in lines)


def test_an_extra_is_got_only_when_it_is_asked_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def engine(*_: object) -> Engine:
        made = machine.engine(tool("one"), tool("more", extra=True))
        made.names = ["one", "more"]
        return made

    assert set(engine().provide()) == {"one"} and machine.builds() == ["example.com/one"]
    monkeypatch.setattr(command, "Engine", engine)
    command.run(machine.project, "status", [], as_json=False)
    said = capsys.readouterr().out
    assert "not asked for: `python3 -m toolchain --only more` gets it" in said
    assert set(engine().provide(["more"])) == {"more"} and machine.builds() == ["example.com/one", "example.com/more"]


def test_an_old_python_is_told_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(REPOSITORY / "toolchain/__main__.py"), run_name="__main__")
    assert str(caught.value).startswith("toolchain: this Python is older than 3.11") and "\n" not in str(caught.value)


def test_the_package_needs_nothing_but_python() -> None:
    own = {*sys.stdlib_module_names, "toolchain"}
    for file in (REPOSITORY / "toolchain").glob("*.py"):
        for name in re.findall(r"^(?:from|import) (\w+)", file.read_text(), re.MULTILINE):
            assert name in own, f"{file.name} imports {name}"


@pytest.mark.parametrize("row", table.TOOLS, ids=lambda row: row.name)
def test_a_row_of_the_table_is_what_its_module_pins(row: table.Tool) -> None:
    assert row.accepts.holds(row.version)
    assert row.build is not None and (row.download is not None or row.extra)
    if row.download is not None:
        filled = row.download.url.format_map({"version": row.version, "os": "linux", "arch": "amd64", "x64": "x64"})
        assert filled.startswith("https://") and row.version in filled and "{" not in filled
    text = (REPOSITORY / "toolchain" / row.build.module / "go.mod").read_text()
    pins = {
        "pulumi": f"github.com/pulumi/pulumi/pkg/v3 v{row.version}",
        "etcd": f"go.etcd.io/etcd/server/v3 v{row.version}",
        "helm": f"helm.sh/helm/v3 v{row.version}",
        "pulumi-language-yaml": f"github.com/pulumi/pulumi-yaml v{row.version}",
        "pulumi-resource-kubernetes": "github.com/pulumi/pulumi-kubernetes/provider/v4 v4.0.0-2026",
        "tofu": f"github.com/opentofu/opentofu v{row.version}",
        "terraform-provider-azapi": f"github.com/Azure/terraform-provider-azapi v{row.version}",
        "actionlint": f"github.com/rhysd/actionlint v{row.version}",
    }
    assert pins.get(row.name, f"k8s.io/kubernetes v{row.version}") in text
    go = re.search(r"^go ([\d.]+)$", text, re.MULTILINE)
    assert go is not None and table.GO.holds(go[1])


@pytest.mark.parametrize("tool", PYTHON_TOOLS.values(), ids=lambda tool: tool.name)
def test_python_clients_are_locked_with_hashes_and_without_addresses(tool: PythonTool) -> None:
    lock = (REPOSITORY / tool.lock).read_text()
    assert re.search(rf"^{tool.package}==[\d.]+ ", lock, re.MULTILINE) and "://" not in lock
    blocks = re.split(r"(?m)^(?=[a-z0-9])", lock)[1:]
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("tool", NODE_TOOLS.values(), ids=lambda tool: tool.name)
def test_node_clients_are_locked_with_hashes_and_without_addresses(tool: NodeTool) -> None:
    folder = REPOSITORY / "toolchain" / tool.name
    assert json.loads((folder / "package.json").read_text())["dependencies"] == {tool.name: tool.version}
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    del packages[""]
    assert packages[f"node_modules/{tool.name}"]["version"] == tool.version
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not [name for name, package in packages.items() if "resolved" in package]


def test_pinned_python_packages_agree_and_have_hashes() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    uv = (REPOSITORY / "toolchain/uv.requirements").read_text()
    assert uv.splitlines()[0] in lock.splitlines()
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["requires-python"] == ">=3.11"
    for text in (uv, (REPOSITORY / "toolchain/go.requirements").read_text()):
        assert text.count("==") == 1 and text.count("--hash=sha256:") > 5 and "://" not in text
