"""The command stand-in over gRPC: each manner of the real plugin, as seen when the real one ran beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from plugin_hosting import BIN, Hosted, Refused, hosted, urn
from processes import ended
from pulumi.runtime.proto import provider_pb2
from waiting import until

from sandbox.plugins.command_process import quoted
from sandbox.plugins.values import UNKNOWN, Properties, Secret, decode

PLUGIN = BIN / "pulumi-resource-command"
IT = urn("command:local:Command")
Kind = provider_pb2.PropertyDiff


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program's folder with a driver in it."""
    folder = tmp_path_factory.mktemp("program")
    driver = folder / "bin/driver"
    driver.parent.mkdir()
    driver.write_text('#!/bin/sh\necho "$1 in $PWD for $WHO"\n')
    driver.chmod(0o755)
    (folder / "other/bin").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def plugin(program: Path) -> Iterator[Hosted]:
    with hosted(PLUGIN, program, {"INHERITED": "yes", "VIRTUAL_ENV": ""}, {}) as running:
        yield running


def stdout(plugin: Hosted, command: str, **inputs: object) -> object:
    return plugin.create(IT, {"create": command, **inputs})[1]["stdout"]


def test_create(plugin: Hosted) -> None:
    id, outputs = plugin.create(IT, {"create": "echo out; echo err >&2; printf '\\n'"})
    assert id.startswith("it")
    assert len(id) == len("it") + 8
    assert outputs == {"create": "echo out; echo err >&2; printf '\\n'", "stdout": "out\n", "stderr": "err"}


def test_without_a_create_nothing_runs(plugin: Hosted) -> None:
    assert plugin.create(IT, {"delete": "exit 1"})[1] == {"delete": "exit 1", "stdout": "", "stderr": ""}


def test_environment_is_that_of_the_plugin_with_the_inputs_on_top(plugin: Hosted) -> None:
    assert stdout(plugin, "echo $INHERITED $OWN", environment={"OWN": "mine"}) == "yes mine"
    assert stdout(plugin, "echo $INHERITED", environment={"INHERITED": "no"}) == "no"


def test_nothing_of_the_plugins_own_python_is_inherited(plugin: Hosted) -> None:
    assert stdout(plugin, "echo $PYTHONPATH $VIRTUAL_ENV") == os.environ.get("PYTHONPATH", "")


def test_it_runs_in_the_programs_folder_or_in_dir(plugin: Hosted, program: Path) -> None:
    assert stdout(plugin, "pwd") == str(program)
    assert stdout(plugin, "pwd", dir="other") == str(program / "other")
    with pytest.raises(Refused, match=r'^chdir /nowhere: no such file or directory: running "pwd":\n$'):
        stdout(plugin, "pwd", dir="/nowhere")


def test_the_interpreter_may_be_a_path_in_the_program(plugin: Hosted, program: Path) -> None:
    driver = {"interpreter": ["bin/driver"], "environment": {"WHO": "us"}}
    assert stdout(plugin, "connect", **driver) == f"connect in {program} for us"
    with pytest.raises(Refused, match=r'^fork/exec bin/driver: no such file or directory: running "connect":\n$'):
        stdout(plugin, "connect", dir="other", **driver)
    with pytest.raises(Refused, match=r'^exec: "driver": executable file not found in \$PATH: running "connect"'):
        stdout(plugin, "connect", interpreter=["driver"])
    with pytest.raises(Refused, match=r"^fork/exec \./bin: permission denied"):
        stdout(plugin, "connect", interpreter=["./bin"])
    assert stdout(plugin, "a b", interpreter=["printf", "[%s]"]) == "[a b]"


def test_stdin(plugin: Hosted) -> None:
    assert stdout(plugin, "cat", stdin="a\nb") == "a\nb"
    assert stdout(plugin, "cat") == ""
    for size in (2, 1_000_000) * 20:  # a pipe may break at the write, or only when it is closed
        assert stdout(plugin, "echo unread", stdin="x" * size) == "unread"


def test_much_output_on_both_streams_arrives_whole(plugin: Hosted) -> None:
    command = "i=0; while [ $i -lt 2000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done"
    outputs = plugin.create(IT, {"create": command, "logging": "none"})[1]
    assert outputs["stdout"] == "\n".join(f"out{i}" for i in range(2000))
    assert outputs["stderr"] == "\n".join(f"err{i}" for i in range(2000))


def test_an_error_is_status_command_and_both_outputs(plugin: Hosted) -> None:
    with pytest.raises(Refused) as caught:
        stdout(plugin, 'echo "a\tb"; sleep 0.1; echo why >&2; exit 3')
    assert (
        str(caught.value) == 'exit status 3: running "echo \\"a\\tb\\"; sleep 0.1; echo why >&2; exit 3":\na\tb\nwhy\n'
    )
    with pytest.raises(Refused, match=r'^signal: terminated: running "kill'):
        stdout(plugin, "kill -TERM $$")


def test_a_failed_create_leaves_nothing_in_the_state(plugin: Hosted) -> None:
    with pytest.raises(Refused) as caught:
        stdout(plugin, "exit 1")
    assert caught.value.half_made is None


def test_quoting_is_that_of_go() -> None:
    assert quoted('a"\\\n\x07é\x00\x7f\u2028\U0001f600') == r'"a\"\\\n\aé\x00\x7f\u2028😀"'


def test_update_runs_update_else_create_with_the_outputs_of_before(plugin: Hosted) -> None:
    old = {"create": "x"}
    before = (old, {**old, "stdout": "OUT", "stderr": "ERR"})
    seen = plugin.update(
        IT, "id", before, {"create": "x", "update": "echo $PULUMI_COMMAND_STDOUT $PULUMI_COMMAND_STDERR"}
    )
    assert seen["stdout"] == "OUT ERR"
    assert plugin.update(IT, "id", before, {"create": "echo again"})["stdout"] == "again"
    assert plugin.update(IT, "id", before, {"delete": "y"}) == {"delete": "y", "stdout": "OUT", "stderr": "ERR"}
    off = {"update": "echo -$PULUMI_COMMAND_STDOUT-", "addPreviousOutputInEnv": False}
    assert plugin.update(IT, "id", before, off)["stdout"] == "--"


def test_delete_runs_with_what_is_stored(plugin: Hosted) -> None:
    stored = {
        "delete": "echo $WHO $PULUMI_COMMAND_STDOUT; exit 4",
        "environment": {"WHO": Secret("stored")},
        "stdout": "OUT",
        "stderr": "",
    }
    with pytest.raises(Refused, match=r"^exit status 4: .*\nstored OUT\n$"):
        plugin.delete(IT, "id", {"delete": "true", "environment": {"WHO": "given"}}, stored)
    plugin.delete(IT, "id", {}, {"create": "x", "stdout": "", "stderr": ""})


def test_secrets_stay_secret_and_make_no_others(plugin: Hosted) -> None:
    given = {"create": "echo $A", "environment": {"A": Secret("s3"), "B": "b"}, "stdin": Secret("s4")}
    assert plugin.check(IT, given) == (given, {})
    outputs = plugin.create(IT, given)[1]
    # The real plugin marks an output only where an input of the same name is secret: `stdout` never is.
    assert outputs == given | {"stdout": "s3", "stderr": ""}
    assert plugin.update(IT, "id", (given, outputs), given) == outputs


def test_preview_runs_nothing_and_knows_no_output(plugin: Hosted, program: Path) -> None:
    given = {"create": "touch ran", "environment": {"A": UNKNOWN}}
    assert plugin.create(IT, given, preview=True)[1] == given | {"stdout": UNKNOWN, "stderr": UNKNOWN}
    assert not (program / "ran").exists()


def test_preview_of_an_update(plugin: Hosted) -> None:
    old = {"create": "a", "dir": "."}
    before = (old, old | {"stdout": Secret("OUT"), "stderr": ""})

    def outputs(inputs: Properties) -> object:
        return plugin.update(IT, "id", before, inputs, preview=True)["stdout"]

    assert outputs(old) == "OUT"
    assert outputs(old | {"create": "b"}) is UNKNOWN
    assert outputs(old | {"create": UNKNOWN}) is UNKNOWN
    assert outputs({"create": "a"}) is UNKNOWN
    assert outputs(old | {"create": Secret("a")}) is UNKNOWN
    assert outputs(old | {"update": "new"}) == "OUT"  # odd, and the real one's


def test_diff_replaces_by_triggers_alone(plugin: Hosted) -> None:
    old = {"create": "a", "interpreter": ["x"], "environment": {"A": "1", "x.y": "2"}, "triggers": [1.0]}
    none = plugin.diff(IT, old, old)
    assert (none.changes, dict(none.detailedDiff)) == (none.DIFF_NONE, {})
    some = plugin.diff(
        IT, old, {"create": "b", "dir": "/", "environment": {"A": UNKNOWN, "x.y": "3"}, "triggers": [1.0]}
    )
    assert {path: change.kind for path, change in some.detailedDiff.items()} == {
        "create": Kind.UPDATE,
        "interpreter": Kind.DELETE,
        "dir": Kind.ADD,
        "environment.A": Kind.UPDATE,
        'environment["x.y"]': Kind.UPDATE,
    }
    assert not some.replaces
    assert list(plugin.diff(IT, old, old | {"triggers": UNKNOWN}).replaces) == ["triggers"]
    inside = plugin.diff(IT, old, old | {"triggers": [2.0]})  # the SDK's replaceOnChanges has `triggers[*]`
    assert (dict(inside.detailedDiff)["triggers[0]"].kind, list(inside.replaces)) == (Kind.UPDATE, [])
    secret = plugin.diff(IT, old, old | {"create": Secret("a")})
    assert list(secret.detailedDiff) == ["create"]


def test_check_names_each_bad_property(plugin: Hosted) -> None:
    wrong = {"creat": "a", "create": 1.0, "environment": {"A": 2.0}, "interpreter": "sh", "assetPaths": ["*"]}
    _, failures = plugin.check(IT, wrong)
    assert set(failures) == {"creat", "create", "environment.A", "interpreter", "assetPaths"}
    assert "did you mean 'create'?" in failures["creat"]
    assert "does not collect files yet" in failures["assetPaths"]
    assert plugin.check(IT, {"create": None, "triggers": [None, {"a": 1.0}], "environment": UNKNOWN})[1] == {}
    _, remote = plugin.check(urn("command:remote:Command"), {})
    assert "command:local:Command only" in remote[""]


def test_read_gives_back_what_it_is_given(plugin: Hosted) -> None:
    state = {"create": "a", "stdout": "x", "stderr": ""}
    found = plugin.read(IT, "id", {"create": "a"}, state)
    assert (found.id, decode(found.inputs), decode(found.properties)) == ("id", {"create": "a"}, state)


def test_run(plugin: Hosted) -> None:
    seen = plugin.invoke("command:local:run", {"command": "echo $A", "environment": {"A": Secret("s")}})
    assert seen == {"command": "echo $A", "environment": {"A": Secret("s")}, "stdout": "s", "stderr": ""}
    with pytest.raises(Refused, match=r'^exit status 2: running "exit 2":\n$'):
        plugin.invoke("command:local:run", {"command": "exit 2"})
    refused = plugin.call("Invoke", provider_pb2.InvokeRequest(tok="command:local:run"))
    assert [failure.property for failure in refused.failures] == ["command"]


@pytest.mark.parametrize(
    ("logging", "lines"),
    [
        (None, ["out", "err", "end"]),
        ("stdoutAndStderr", ["out", "err", "end"]),
        ("stdout", ["out", "end"]),
        ("stderr", ["err"]),
        ("none", []),
    ],
)
def test_lines_are_logged_beside_the_resource(plugin: Hosted, logging: str | None, lines: list[str]) -> None:
    while not plugin.engine.logged.empty():
        plugin.engine.logged.get()
    command = "echo out; sleep 0.1; echo err >&2; sleep 0.1; printf end"
    plugin.create(IT, {"create": command} | ({"logging": logging} if logging else {}))
    seen = [plugin.engine.logged.get(timeout=5) for _ in lines]
    assert [request.message for request in seen] == lines
    assert {(request.urn, request.ephemeral) for request in seen} <= {(IT, True)}
    assert plugin.engine.logged.empty()


def test_lines_are_logged_while_it_runs(plugin: Hosted, program: Path) -> None:
    """The line comes before the command ends: the command waits for an answer to it."""
    command = "echo asking; while [ ! -e answer ]; do sleep 0.05; done"
    running = threading.Thread(target=lambda: plugin.create(IT, {"create": command}))
    while not plugin.engine.logged.empty():
        plugin.engine.logged.get()
    running.start()
    try:
        assert plugin.engine.logged.get(timeout=10).message == "asking"
        assert running.is_alive()
    finally:
        (program / "answer").touch()
        running.join(10)


def test_cancel_kills_the_direct_child_alone(tmp_path: Path) -> None:
    command = "sleep 30 >/dev/null 2>&1 & echo $! > grandchild; echo $$ > child; wait"
    with hosted(PLUGIN, tmp_path, {}, {}) as plugin:
        errors: list[str] = []

        def create() -> None:
            try:
                plugin.create(IT, {"create": command})
            except Refused as error:
                errors.append(str(error))

        running = threading.Thread(target=create)
        running.start()
        child, grandchild = (_pid(tmp_path / name) for name in ("child", "grandchild"))
        try:
            plugin.cancel()
            running.join(10)
            assert errors[0].startswith('signal: killed: running "sleep 30')
            assert not psutil.pid_exists(child)
            assert psutil.pid_exists(grandchild)
            with pytest.raises(Refused, match="context canceled"):
                plugin.create(IT, {"create": "true"})
        finally:
            os.kill(grandchild, signal.SIGKILL)


def _pid(file: Path) -> int:
    return int(until(lambda: file.exists() and file.read_text().strip()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(tmp_path: Path, number: int) -> None:
    with hosted(PLUGIN, tmp_path, {}, {}) as plugin:
        plugin.process.send_signal(number)
        assert plugin.process.wait(5) == 0


def test_it_ends_with_what_started_it(tmp_path: Path) -> None:
    """A stand-in for the engine starts the plugin, and dies without stopping it."""
    starter = f"{PLUGIN} > port & echo $! > plugin; while [ ! -s port ]; do sleep 0.02; done; kill -KILL $$"
    subprocess.run(["/bin/sh", "-c", starter], cwd=tmp_path, timeout=20)
    process = int((tmp_path / "plugin").read_text())
    until(lambda: ended(process))


def test_it_is_found_through_a_link_and_needs_the_environment(tmp_path: Path) -> None:
    link = tmp_path / "pulumi-resource-command"
    link.symlink_to(os.path.relpath(PLUGIN, tmp_path))
    with hosted(link, tmp_path, {"PYTHONPATH": str(tmp_path)}, {}) as plugin:
        assert stdout(plugin, "echo $PYTHONPATH") == str(tmp_path)

    bare = tmp_path / "checkout/sandbox/plugins/bin/pulumi-resource-command"
    bare.parent.mkdir(parents=True)
    bare.write_bytes(PLUGIN.read_bytes())
    bare.chmod(0o755)
    done = subprocess.run([bare], capture_output=True, text=True, timeout=10)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no Python environment in {tmp_path}/checkout/.venv" in done.stderr
