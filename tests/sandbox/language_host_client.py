"""A client of the Python language host, in the engine's place: starts it, and serves what programs call."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
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


class Engine(engine_pb2_grpc.EngineServicer):
    """The part of the engine that programs log to."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:
        self.messages.append(request.message)
        return empty_pb2.Empty()


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
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
