"""Our Python language host, as the engine sees it over its protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from language_host_client import VENV, Host, info, request, running_host, write
from pulumi.runtime.proto import language_pb2
from waiting import until

from sandbox.home import PROJECT


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        yield running


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(process: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(process)


def file_of(path: Path, seconds: float = 30.0) -> str:
    return str(until(lambda: path.exists() and path.read_text(), seconds))


PLUGIN_WAITS = """
import os, pathlib, sys, time
print("4711", flush=True)
pathlib.Path(sys.argv[-1]).write_text(str(os.getpid()))
time.sleep(60)
"""


def test_a_program_gets_what_the_official_host_gives(host: Host, tmp_path: Path) -> None:
    program = write(
        tmp_path / "program",
        """
import json, os, pathlib, sys
names = [n for n in os.environ if n.startswith("PULUMI_")] + ["VIRTUAL_ENV"]
told = {n: os.environ[n] for n in names}
told |= {"cwd": os.getcwd(), "argv": sys.argv, "path": sys.path[:2], "bin": os.environ["PATH"].split(":")[0]}
pathlib.Path("told.json").write_text(json.dumps(told))
sys.exit(7)
""",
    )
    answer = host.run(program, args=["a", "b"], organization="org")
    assert (answer.error, answer.bail) == ("program exited with non-zero exit code: 7", False)
    told = json.loads((program / "told.json").read_text())
    assert json.loads(told.pop("PULUMI_CONFIG")) == {"demo:size": "3", "demo:key": "hidden"}
    assert json.loads(told.pop("PULUMI_CONFIG_SECRET_KEYS")) == ["demo:key"]
    assert told["argv"] == [str(program), "a", "b"]
    assert "PULUMI_LANGUAGE_HOST_PID" not in told
    assert not any(str(PROJECT / "sandbox") == entry for entry in told["path"])
    expected = {
        "PULUMI_PROJECT": "demo",
        "PULUMI_STACK": "dev",
        "PULUMI_ORGANIZATION": "org",
        "PULUMI_DRY_RUN": "true",
        "PULUMI_PARALLEL": "4",
        "PULUMI_MONITOR": host.address,
        "PULUMI_ENGINE": host.address,
        "PULUMI_PWD": str(program),
        "PULUMI_ROOT_DIRECTORY": str(program),
        "VIRTUAL_ENV": str(VENV),
        "cwd": str(program),
        "bin": str(VENV / "bin"),
    }
    assert {name: told.get(name) for name in expected} == expected


def test_what_stands_by_for_a_program_goes_without_a_word_when_none_is_wanted() -> None:
    command = [str(VENV / "bin/python"), str(PROJECT / "sandbox/language_exec.py"), "--stand-by", str(os.getpid())]
    waiting = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until(lambda: "cygrpc" in Path(f"/proc/{waiting.pid}/maps").read_text())  # it imports the SDK, or has done so
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate(timeout=20)[0] == b""
    assert waiting.returncode == -signal.SIGINT


@pytest.mark.parametrize(
    ("text", "entry", "message"),
    [
        ("def f():\n    raise ValueError('boom')\nf()\n", ".", "ValueError: boom"),
        ("import pulumi\nraise pulumi.RunError('just this')\n", ".", "just this"),
        ("import beside\n", "__main__.py", "No module named 'beside'"),
    ],
)
def test_an_error_of_the_program_is_shown_once_and_clean(
    host: Host, tmp_path: Path, text: str, entry: str, message: str
) -> None:
    program = write(tmp_path / "program", text)
    answer = host.run(program, entry)
    assert (answer.error, answer.bail) == ("", True)
    [shown] = [line for line in host.engine.messages if message in line]
    assert "language_exec" not in shown and "runpy" not in shown
    if "Traceback" in shown:
        assert shown.splitlines()[2].strip().startswith(f'File "{program}/__main__.py", line')


def test_a_folder_without_a_program_is_said(host: Host, tmp_path: Path) -> None:
    answer = host.run(write(tmp_path, "", "other.py"))
    assert answer.bail and host.engine.messages == [f"there is no program in {tmp_path}: it has no __main__.py"]


def test_a_file_as_entry_point_finds_the_modules_beside_it(host: Host, tmp_path: Path) -> None:
    write(tmp_path, "import sys\nsys.exit(9)\n", "beside.py")
    answer = host.run(write(tmp_path, "import beside\n", "app.py"), "app.py")
    assert answer.error.endswith(": 9")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"virtualenv": "missing"}, "run `pulumi install` in"),
        ({"toolchain": "conda"}, "none of pip, poetry, uv"),
    ],
)
def test_an_environment_that_is_not_there_is_one_sentence(
    host: Host, tmp_path: Path, options: dict[str, str], said: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        host.stub.Run(language_pb2.RunRequest(pwd=str(tmp_path), info=info(tmp_path, **options)), timeout=60)
    assert said in str(caught.value.details()) and str(tmp_path) in str(caught.value.details())
    assert "\n" not in str(caught.value.details())


def test_poetry_is_asked_for_its_environment(tmp_path: Path) -> None:
    fake = write(tmp_path / "bin", f'#!/bin/sh\n[ "$1" = env ] && echo {VENV} && exit\necho "poetry $1"\n', "poetry")
    (fake / "poetry").chmod(0o755)
    program = write(tmp_path / "program", "import os, sys; sys.exit(os.environ['VIRTUAL_ENV'] == sys.prefix and 5)")
    write(program, "", "pyproject.toml")
    write(program, "", "poetry.lock")
    with running_host(PATH=f"{fake}:{os.environ['PATH']}") as host:
        asked = request(host, program)
        asked.info.options.Clear()
        answer = host.stub.Run(asked, timeout=60)
        assert answer.error.endswith(": 5")
        install = language_pb2.InstallDependenciesRequest(info=asked.info)
        output = b"".join(message.stdout for message in host.stub.InstallDependencies(install, timeout=60))
    assert b"poetry install" in output


def test_the_host_says_which_python_and_packages_a_program_has(host: Host, tmp_path: Path) -> None:
    about = host.stub.About(language_pb2.AboutRequest(info=info(tmp_path)), timeout=60)
    assert Path(about.executable).parent == VENV / "bin"
    assert about.version == ".".join(map(str, sys.version_info[:3]))
    wanted = language_pb2.GetProgramDependenciesRequest(info=info(tmp_path))
    own = {package.name for package in host.stub.GetProgramDependencies(wanted, timeout=60).dependencies}
    wanted.transitiveDependencies = True
    every = {package.name for package in host.stub.GetProgramDependencies(wanted, timeout=60).dependencies}
    assert own < every and "grpcio" in every - own


def test_what_the_host_cannot_do_it_says(host: Host) -> None:
    assert not host.stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=10).packages
    with pytest.raises(grpc.RpcError) as caught:
        host.stub.GeneratePackage(language_pb2.GeneratePackageRequest(), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "install the official Pulumi CLI" in str(caught.value.details())


def plugin(folder: Path, kind: str, *args: str, **environment: str) -> Any:
    pairs = [f"{name}={value}" for name, value in {**os.environ, **environment}.items()]
    return language_pb2.RunPluginRequest(info=info(folder), kind=kind, args=args, env=pairs, pwd=str(folder.parent))


def test_a_plugin_gets_its_arguments_and_environment_and_its_output_is_passed_on(host: Host, tmp_path: Path) -> None:
    text = "import os, sys\nprint(sys.argv[1:], os.environ['ASKED'], os.getcwd())\nsys.exit('e')\n"
    folder = write(tmp_path / "plugin", text)
    messages = list(host.stub.RunPlugin(plugin(folder, "resource", "engine:1", "--x", ASKED="yes"), timeout=60))
    assert b"".join(message.stdout for message in messages).decode() == f"['engine:1', '--x'] yes {tmp_path}\n"
    assert b"".join(message.stderr for message in messages) == b"e\n"
    assert messages[-1].exitcode == 1


def test_a_policy_pack_is_run_in_its_own_folder(host: Host, tmp_path: Path) -> None:
    folder = write(tmp_path / "pack", "import own\n")
    write(folder, "import os, sys\nprint('pack in', os.getcwd(), flush=True)\nos._exit(0)\n", "own.py")
    messages = list(host.stub.RunPlugin(plugin(folder, "analyzer", "127.0.0.1:1"), timeout=60))
    assert b"".join(message.stdout for message in messages).decode() == f"pack in {folder}\n"


def test_a_cancelled_plugin_ends(host: Host, tmp_path: Path) -> None:
    folder = write(tmp_path / "plugin", PLUGIN_WAITS)
    call = host.stub.RunPlugin(plugin(folder, "resource", str(tmp_path / "pid")))
    assert next(iter(call)).stdout.startswith(b"4711")
    child = int(file_of(tmp_path / "pid"))
    assert alive(child)
    call.cancel()
    assert gone(child)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_the_host(host: Host, tmp_path: Path, number: signal.Signals) -> None:
    folder = write(tmp_path / "plugin", PLUGIN_WAITS)
    call = host.stub.RunPlugin(plugin(folder, "resource", str(tmp_path / "plugin.pid")))
    assert next(iter(call)).stdout.startswith(b"4711")
    program = write(tmp_path / "program", PLUGIN_WAITS)
    run = host.stub.Run.future(request(host, program, args=[str(tmp_path / "program.pid")]))
    children = [int(file_of(tmp_path / f"{name}.pid")) for name in ("plugin", "program")]
    host.process.send_signal(number)
    assert host.process.wait(15) == (-9 if number == signal.SIGKILL else 0)
    assert all(gone(child) for child in children)
    assert run.exception() or run.result().error
    assert host.process.stderr is not None
    assert "Traceback" not in host.process.stderr.read()


def test_installing_makes_the_environment(tmp_path: Path) -> None:
    program = write(tmp_path / "program", "", "requirements.txt")
    asked = language_pb2.InstallDependenciesRequest(info=info(program, virtualenv="made"))
    with running_host() as host:
        output = b"".join(message.stdout for message in host.stub.InstallDependencies(asked, timeout=120))
        assert b"Creating virtual environment" in output
        assert (program / "made/bin/python").exists()
        write(program, "no-such-package-is-there @ file:///nowhere/x.whl\n", "requirements.txt")
        with pytest.raises(grpc.RpcError) as caught:
            list(host.stub.InstallDependencies(asked, timeout=120))
        assert "Installing requirements.txt" in str(caught.value.details())
        write(program, "", "requirements.txt")
        asked = language_pb2.InstallDependenciesRequest(info=info(program, virtualenv="by-uv", toolchain="uv"))
        list(host.stub.InstallDependencies(asked, timeout=120))
        assert (program / "by-uv/bin/python").exists()
