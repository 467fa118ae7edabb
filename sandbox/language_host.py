"""The Python language host: what `pulumi` starts as `pulumi-language-python` where no official one is to be had.

It prints its port and serves the engine's LanguageRuntime protocol: runs programs, policy packs and component
packages with the Python of their own environments, and makes those environments (`pulumi install`). It generates no
code: for `pulumi convert` and `pulumi package gen-sdk` the official host is needed.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import grpc

PROJECT = Path(__file__).resolve().parent.parent
if __package__ in (None, ""):
    # Run by its path: the folder of this file would hide packages of its modules' names, the project's does not.
    sys.path[0] = str(PROJECT)

from sandbox.language_environment import Environment, EnvironmentProblem  # noqa: E402
from sandbox.language_exec import SHOWN  # noqa: E402
from sandbox.language_processes import GRACE, Children, Standby, bound, end  # noqa: E402

MESSAGE_LIMIT = 400 * 1024 * 1024

# Run by the program's own Python: an environment made by uv has no pip to ask.
_LIST_PACKAGES = """
import importlib.metadata, json, re, sys
found, needed = {}, set()
for package in importlib.metadata.distributions():
    found[package.name] = package.version
    needed |= {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-")
               for line in package.requires or () if "extra ==" not in line}
every = sys.argv[1] == "all"
json.dump({n: v for n, v in found.items() if every or n.lower().replace("_", "-") not in needed}, sys.stdout)
"""


def _protocol() -> tuple[Any, Any, Any]:
    """The protocol's messages and stubs, without the SDK around them: that would double the time to start."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"the Pulumi SDK is not installed for {sys.executable}: run `make toolchain`")
    folder = Path(next(iter(spec.submodule_search_locations)))
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        package = types.ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules.setdefault(name, package)
    proto = "pulumi.runtime.proto"
    return (
        importlib.import_module(f"{proto}.language_pb2"),
        importlib.import_module(f"{proto}.plugin_pb2"),
        importlib.import_module(f"{proto}.language_pb2_grpc"),
    )


language, plugin, service = _protocol()


def _abort(context: grpc.ServicerContext, problem: object) -> NoReturn:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(problem))
    raise AssertionError("abort returns never")


class LanguageHost(service.LanguageRuntimeServicer):  # type: ignore[misc,name-defined]
    """Serves the engine.

    Args:
        engine: the engine's address, as it stands in the host's last argument; a handshake may bring another.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self.programs = Children()
        self.plugins = Children()
        self._standby = Standby(self.programs)

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._engine = request.engine_address or self._engine
        return language.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin.PluginInfo()

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        """None: the engine asks plugins by their names. It asks this before it runs the program, so get ready."""
        with contextlib.suppress(EnvironmentProblem, OSError):
            environment = Environment.of(request.info, plugin=False)
            self._standby.prepare(
                environment.python(), environment.variables(os.environ), request.info.program_directory
            )
        return language.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language.GetRequiredPluginsResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language.RuntimeOptionsResponse()

    def Template(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language.TemplateResponse()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.programs.interrupt()
        return importlib.import_module("google.protobuf.empty_pb2").Empty()

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        environment, python = self._python(request.info, context, plugin=False)
        script = "import json, platform, sys; json.dump([sys.executable, platform.python_version()], sys.stdout)"
        executable, version = self._ask(environment, [python, "-c", script], context)
        return language.AboutResponse(
            executable=executable, version=version, metadata={"toolchain": environment.toolchain}
        )

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        environment, python = self._python(request.info, context, plugin=False)
        which = "all" if request.transitiveDependencies else "own"
        packages = self._ask(environment, [python, "-c", _LIST_PACKAGES, which], context)
        return language.GetProgramDependenciesResponse(
            dependencies=[
                language.DependencyInfo(name=name, version=version) for name, version in sorted(packages.items())
            ]
        )

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run a program to its end; its output goes where this host's goes, which is where the engine reads it."""
        environment, python = self._python(request.info, context, plugin=False)
        variables = environment.variables(os.environ) | self._variables(request)
        arguments = [request.info.entry_point or ".", *request.args]
        child = self._standby.run(python, arguments, variables, request.pwd or request.info.program_directory)
        context.add_callback(lambda: end(child))
        code = child.wait()
        self.programs.forget(child)
        if code == SHOWN:
            return language.RunResponse(bail=True)
        return language.RunResponse(error=_ended(code) if code else "")

    def _variables(self, request: Any) -> dict[str, str]:
        return {
            "PULUMI_LANGUAGE_HOST_PID": str(os.getpid()),
            "PULUMI_PROJECT": request.project,
            "PULUMI_STACK": request.stack,
            "PULUMI_ORGANIZATION": request.organization or "organization",
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            "PULUMI_DRY_RUN": "true" if request.dryRun else "false",
            "PULUMI_PARALLEL": str(request.parallel),
            "PULUMI_MONITOR": request.monitor_address,
            "PULUMI_ENGINE": self._engine,
            "PULUMI_PWD": request.pwd,
            "PULUMI_ROOT_DIRECTORY": request.info.root_directory,
        }

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Run a policy pack (kind analyzer) or a component package (kind resource), and pass its output on."""
        environment, python = self._python(request.info, context, plugin=True)
        folder = request.info.program_directory
        if request.kind == "analyzer":
            # In the pack's own folder, so that `-m` finds no module of the project's in the pack's place.
            command, cwd = [python, "-u", "-m", "pulumi.policy", *request.args, folder], folder
        elif not Path(folder, "__main__.py").is_file():
            _abort(context, f"the plugin in {folder} cannot be run: it has no __main__.py")
        else:
            command, cwd = [python, "-u", folder, *request.args], request.pwd or folder
        given = dict(pair.split("=", 1) for pair in request.env if "=" in pair) or dict(os.environ)
        response = language.RunPluginResponse
        yield from self._stream(
            command,
            environment.variables(given),
            cwd,
            context,
            out=lambda data: response(stdout=data),
            err=lambda data: response(stderr=data),
            ended=lambda code: response(exitcode=code),
        )

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Make the virtual environment where there is none, and install the program's requirements."""
        try:
            environment = Environment.of(request.info, plugin=request.is_plugin)
            commands = environment.install_commands()
        except EnvironmentProblem as problem:
            _abort(context, problem)
        response = language.InstallDependenciesResponse
        codes: list[int] = []
        for title, command in commands:
            yield response(stdout=f"{title}...\n".encode())
            yield from self._stream(
                command,
                environment.variables(os.environ),
                str(environment.program),
                context,
                out=lambda data: response(stdout=data),
                err=lambda data: response(stderr=data),
                ended=lambda code: codes.append(code),
            )
            if codes[-1] != 0:
                _abort(context, f"{title} in {environment.program} failed ({_ended(codes[-1])}): see the lines above")
        yield response(stdout=b"Dependencies are installed\n")

    def _stream(
        self,
        command: list[str],
        variables: Mapping[str, str],
        cwd: str,
        context: grpc.ServicerContext,
        *,
        out: Callable[[bytes], Any],
        err: Callable[[bytes], Any],
        ended: Callable[[int], Any],
    ) -> Iterator[Any]:
        """Run a command to its end; yield its output as messages while it comes, and last what `ended` makes."""
        child = self.plugins.start(
            bound(command), env=dict(variables), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        if not context.add_callback(lambda: end(child)):
            end(child)  # cancelled before it began
        messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def forward(stream: Any, message: Callable[[bytes], Any]) -> None:
            while data := stream.read(65536):
                messages.put(message(data))
            messages.put(None)

        for stream, message in ((child.stdout, out), (child.stderr, err)):
            threading.Thread(target=forward, args=(stream, message), daemon=True).start()
        open_streams = 2
        while open_streams:
            try:
                item = messages.get(timeout=0.5)
            except queue.Empty:
                # A grandchild that keeps the pipe open must not keep the plugin running for the engine.
                if child.poll() is not None and messages.empty():
                    break
                continue
            if item is None:
                open_streams -= 1
            else:
                yield item
        code = child.wait()
        self.plugins.forget(child)
        if (last := ended(code)) is not None:
            yield last

    def _python(self, info: Any, context: grpc.ServicerContext, *, plugin: bool) -> tuple[Environment, str]:
        try:
            environment = Environment.of(info, plugin=plugin)
            return environment, environment.python()
        except EnvironmentProblem as problem:
            _abort(context, problem)

    def _ask(self, environment: Environment, command: list[str], context: grpc.ServicerContext) -> Any:
        """Run a short script with a program's Python; it answers in JSON."""
        try:
            answer = subprocess.run(
                command,
                env=environment.variables(os.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
            )
            return json.loads(answer.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
            _abort(context, f"{command[0]} does not work as a Python: {problem}")


def _unsupported(name: str) -> Callable[..., Any]:
    def answer(self: LanguageHost, request: Any, context: grpc.ServicerContext) -> NoReturn:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"this Python language host has no {name}: install the official Pulumi CLI, which brings one that has",
        )
        raise AssertionError("abort returns never")

    return answer


for _name in ("GenerateProgram", "GenerateProject", "GeneratePackage", "Pack", "Link"):
    setattr(LanguageHost, _name, _unsupported(_name))


def _ended(code: int) -> str:
    if code < 0:
        return f"program was ended by signal {signal.Signals(-code).name}"
    return f"program exited with non-zero exit code: {code}"


def main(arguments: list[str]) -> int:
    """Serve until the engine says stop, or is gone."""
    host = LanguageHost(engine=arguments[-1] if arguments else "")
    server = grpc.server(
        # A call lasts as long as its program or plugin, so there must be more threads than these in one update.
        ThreadPoolExecutor(max_workers=256),
        options=[("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", MESSAGE_LIMIT)],
    )
    service.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    print(port, flush=True)
    parent = os.getppid()
    while not stop.wait(1.0):
        if os.getppid() != parent:
            break
    host.programs.close()
    host.plugins.close()
    server.stop(0).wait(GRACE)
    # Threads that still read a child's pipe must not hold up the end.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
