"""Our Python language host, as the engine sees it: over its protocol, and under the real engine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from sandbox.home import PROJECT

VENV = Path(sys.prefix)


class Engine(engine_pb2_grpc.EngineServicer):  # type: ignore[misc]
    """The part of the engine that programs log to."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:
        self.messages.append(request.message)
        return empty_pb2.Empty()


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):  # type: ignore[misc]
    """The part of the engine that programs register their stack with."""

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in ("secrets", "resourceReferences"))

    def RegisterResource(self, request: Any, context: Any) -> Any:
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:dev::demo::{request.type}::{request.name}")

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


@dataclass
class Host:
    """A running host."""

    process: subprocess.Popen[str]
    stub: Any
    engine: Engine
    address: str

    def run(self, folder: Path, entry: str = ".", **options: Any) -> Any:
        """Run a program to its end."""
        return self.stub.Run(request(self, folder, entry, **options), timeout=60)


@contextlib.contextmanager
def running_host(**environment: str) -> Iterator[Host]:
    engine = Engine()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    process = subprocess.Popen(
        [sys.executable, PROJECT / "sandbox/language_host.py", f"127.0.0.1:{port}"],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        assert process.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            yield Host(process, language_pb2_grpc.LanguageRuntimeStub(channel), engine, f"127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        server.stop(0)


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        yield running


def info(folder: Path, entry: str = ".", **options: str) -> Any:
    struct = struct_pb2.Struct()
    struct.update({"virtualenv": str(VENV), **options})
    return language_pb2.ProgramInfo(
        root_directory=str(folder), program_directory=str(folder), entry_point=entry, options=struct
    )


def write(folder: Path, text: str, name: str = "__main__.py") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def request(host: Host, folder: Path, entry: str = ".", **options: Any) -> Any:
    return language_pb2.RunRequest(
        pwd=str(folder),
        info=info(folder, entry),
        project="demo",
        stack="dev",
        config={"demo:size": "3", "demo:key": "hidden"},
        configSecretKeys=["demo:key"],
        dryRun=True,
        parallel=4,
        monitor_address=host.address,
        **options,
    )


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(process: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(process)


def file_of(path: Path, seconds: float = 30.0) -> str:
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.05)
    return path.read_text()


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
    assert said in caught.value.details() and str(tmp_path) in caught.value.details()
    assert "\n" not in caught.value.details()


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
    assert "install the official Pulumi CLI" in caught.value.details()


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
        assert "Installing requirements.txt" in caught.value.details()
        write(program, "", "requirements.txt")
        asked = language_pb2.InstallDependenciesRequest(info=info(program, virtualenv="by-uv", toolchain="uv"))
        list(host.stub.InstallDependencies(asked, timeout=120))
        assert (program / "by-uv/bin/python").exists()


# Under the real engine.


@dataclass
class Stack:
    """A project in a folder of its own, with a backend of its own."""

    folder: Path
    environment: dict[str, str]

    def pulumi(
        self, *arguments: str, folder: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROJECT / ".local/toolchain/bin/pulumi", *arguments, "--non-interactive"],
            cwd=folder or self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    for name in ("pulumi", "pulumi-language-python"):
        if not (PROJECT / ".local/toolchain/bin" / name).exists():
            pytest.fail(f"{name} is not there: run `make toolchain`")
    state = tmp_path / "state"
    state.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    made = Stack(
        tmp_path / "program",
        {
            **clean,
            "PATH": f"{PROJECT}/.local/toolchain/bin:{os.environ['PATH']}",
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
    )
    write(made.folder, f"name: demo\nruntime: {{name: python, options: {{virtualenv: {VENV}}}}}\n", "Pulumi.yaml")
    done = made.pulumi("stack", "init", "dev")
    assert done.returncode == 0, done.stderr
    return made


PROGRAM = """
import os, pulumi
class Box(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("x:y:Box", name, {"size": 1})
        self.register_outputs({})
Box("one")
pulumi.export("stack", os.environ["PULUMI_STACK"])
pulumi.export("key", pulumi.Config().require_secret("key"))
"""
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
def no_boxes(args, report):
    if args.resource_type == "x:y:Box":
        report("a box")
PolicyPack("pack", policies=[ResourceValidationPolicy(
    name="no-boxes", description="No boxes.", validate=no_boxes, enforcement_level=EnforcementLevel.MANDATORY)])
"""
COMPONENT = '''
from typing import Optional, TypedDict
import pulumi
from pulumi.provider.experimental import component_provider_host
class BoxArgs(TypedDict):
    size: pulumi.Input[int]
    """How big it is."""
class Box(pulumi.ComponentResource):
    doubled: pulumi.Output[int]
    def __init__(self, name: str, args: BoxArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__("boxes:index:Box", name, args, opts)
        self.doubled = pulumi.Output.from_input(args["size"]).apply(lambda size: int(size) * 2)
        self.register_outputs({"doubled": self.doubled})
component_provider_host(name="boxes", components=[Box])
'''


def test_the_real_engine_runs_a_program_and_a_policy_pack(stack: Stack, tmp_path: Path) -> None:
    write(stack.folder, PROGRAM)
    assert stack.pulumi("config", "set", "--secret", "key", "s3cret", "--stack", "dev").returncode == 0
    done = stack.pulumi("up", "--yes", "--stack", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from $PATH" not in done.stdout + done.stderr
    outputs = json.loads(stack.pulumi("stack", "output", "--json", "--stack", "dev").stdout)
    assert outputs == {"stack": "dev", "key": "[secret]"}
    pack = write(tmp_path / "pack", PACK)
    write(pack, f"runtime: {{name: python, options: {{virtualenv: {VENV}}}}}\n", "PulumiPolicy.yaml")
    refused = stack.pulumi("up", "--yes", "--stack", "dev", "--policy-pack", str(pack))
    assert refused.returncode != 0
    assert "no-boxes" in refused.stdout and "a box" in refused.stdout


@pytest.mark.long
def test_the_real_engine_says_what_a_project_is_made_of(stack: Stack) -> None:
    write(stack.folder, PROGRAM)
    about = stack.pulumi("about")
    assert f"executable='{VENV}/bin/python'" in about.stdout, about.stdout + about.stderr
    assert "toolchain='pip'" in about.stdout


@pytest.mark.long
def test_pulumi_install_makes_a_missing_environment(stack: Stack) -> None:
    write(stack.folder, PROGRAM)
    write(stack.folder, "name: demo\nruntime: {name: python, options: {virtualenv: made}}\n", "Pulumi.yaml")
    missing = stack.pulumi("preview", "--stack", "dev")
    assert "run `pulumi install` in" in missing.stdout
    done = stack.pulumi("install")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (stack.folder / "made/bin/python").exists()


@pytest.mark.long
def test_a_component_package_gives_its_schema_and_serves_another_language(stack: Stack, tmp_path: Path) -> None:
    boxes = write(tmp_path / "boxes", COMPONENT)
    write(boxes, f"runtime: {{name: python, options: {{virtualenv: {VENV}}}}}\n", "PulumiPlugin.yaml")
    schema = stack.pulumi("package", "get-schema", str(boxes))
    assert schema.returncode == 0, schema.stderr
    box = json.loads(schema.stdout)["resources"]["boxes:index:Box"]
    assert box["inputProperties"]["size"] == {"type": "integer", "description": "How big it is."}
    yaml = write(
        tmp_path / "yaml",
        f"""
name: other
runtime: yaml
packages: {{boxes: {boxes}}}
resources: {{one: {{type: "boxes:index:Box", properties: {{size: 21}}}}}}
outputs: {{doubled: "${{one.doubled}}"}}
""",
        "Pulumi.yaml",
    )
    assert stack.pulumi("stack", "init", "dev", folder=yaml).returncode == 0
    done = stack.pulumi("up", "--yes", "--stack", "dev", folder=yaml)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(stack.pulumi("stack", "output", "--json", "--stack", "dev", folder=yaml).stdout) == {
        "doubled": 42
    }
