"""A plugin process driven as the engine drives one: started by its launcher, spoken to over gRPC, always ended."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.home import PROJECT
from sandbox.plugins.values import Properties, decode, encode

BIN = PROJECT / "sandbox/plugins/bin"
START_LIMIT = 20
CALL_LIMIT = 60


class Engine(engine_pb2_grpc.EngineServicer):
    """The part of the engine that plugins call: it keeps what they log."""

    def __init__(self) -> None:
        self.logged: queue.Queue[engine_pb2.LogRequest] = queue.Queue()

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.logged.put(request)
        return empty_pb2.Empty()


class Refused(Exception):
    """What a plugin's error says.

    Attributes:
        half_made: what it says about a resource that exists all the same.
    """

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.details())
        self.half_made: provider_pb2.ErrorResourceInitFailed | None = None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status = status_pb2.Status.FromString(value)
                self.half_made = provider_pb2.ErrorResourceInitFailed()
                status.details[0].Unpack(self.half_made)


@dataclass
class Hosted:
    """A running plugin."""

    process: subprocess.Popen[str]
    channel: grpc.Channel
    engine: Engine
    package: str
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)

    def call(self, method: str, request: Any) -> Any:
        """One call, bounded in time."""
        try:
            return getattr(self.stub, method)(request, timeout=CALL_LIMIT)
        except grpc.RpcError as error:
            raise Refused(error) from None

    def configure(self, settings: Properties) -> provider_pb2.ConfigureResponse:
        request = provider_pb2.ConfigureRequest(
            args=encode(settings),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
        )
        response: provider_pb2.ConfigureResponse = self.call("Configure", request)
        return response

    def check(
        self, urn: str, new: Properties, old: Properties | None = None, **more: Any
    ) -> tuple[Properties, dict[str, str]]:
        """Checked inputs, and reasons by property."""
        request = provider_pb2.CheckRequest(urn=urn, news=encode(new), olds=encode(old or {}), **more)
        response = self.call("Check", request)
        return decode(response.inputs), {bad.property: bad.reason for bad in response.failures}

    def diff(
        self, urn: str, old: Properties, new: Properties, outputs: Properties | None = None
    ) -> provider_pb2.DiffResponse:
        request = provider_pb2.DiffRequest(
            id="id", urn=urn, olds=encode(outputs or old), old_inputs=encode(old), news=encode(new)
        )
        response: provider_pb2.DiffResponse = self.call("Diff", request)
        return response

    def create(self, urn: str, inputs: Properties, preview: bool = False, timeout: float = 0) -> tuple[str, Properties]:
        """Id and outputs."""
        request = provider_pb2.CreateRequest(urn=urn, properties=encode(inputs), preview=preview, timeout=timeout)
        response = self.call("Create", request)
        return response.id, decode(response.properties)

    def update(
        self, urn: str, id: str, old: tuple[Properties, Properties], inputs: Properties, preview: bool = False
    ) -> Properties:
        """New outputs; `old` are inputs and outputs."""
        request = provider_pb2.UpdateRequest(
            id=id, urn=urn, old_inputs=encode(old[0]), olds=encode(old[1]), news=encode(inputs), preview=preview
        )
        return decode(self.call("Update", request).properties)

    def read(self, urn: str, id: str, inputs: Properties | None = None, outputs: Properties | None = None) -> Any:
        """The response; inputs and outputs are sent where given."""
        request = provider_pb2.ReadRequest(id=id, urn=urn)
        if inputs is not None:
            request.inputs.CopyFrom(encode(inputs))
        if outputs is not None:
            request.properties.CopyFrom(encode(outputs))
        return self.call("Read", request)

    def delete(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> None:
        self.call(
            "Delete",
            provider_pb2.DeleteRequest(id=id, urn=urn, old_inputs=encode(inputs), properties=encode(outputs)),
        )

    def invoke(self, token: str, arguments: Properties) -> Properties:
        response = self.call("Invoke", provider_pb2.InvokeRequest(tok=token, args=encode(arguments)))
        return decode(getattr(response, "return"))

    def cancel(self) -> None:
        self.call("Cancel", empty_pb2.Empty())


@contextmanager
def hosted(
    executable: Path, cwd: Path, environment: Mapping[str, str] | None = None, settings: Properties | None = None
) -> Iterator[Hosted]:
    """A plugin of this executable, running in `cwd`, configured unless `settings` is None."""
    engine = Engine()
    server = grpc.server(ThreadPoolExecutor(4))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    process = subprocess.Popen(
        [executable, f"127.0.0.1:{port}"],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{_port(process)}") as channel:
            plugin = Hosted(process, channel, engine, executable.name.removeprefix("pulumi-resource-"))
            if settings is not None:
                plugin.configure(settings)
            yield plugin
    finally:
        process.kill()
        process.wait(10)
        server.stop(None)


def _port(process: subprocess.Popen[str]) -> int:
    """The first line of its output, waited for no longer than the limit."""
    assert process.stdout is not None
    line: list[str] = []
    reader = threading.Thread(target=lambda: line.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    reader.join(START_LIMIT)
    assert line and line[0].strip().isdigit(), f"no port on standard output but {line}"
    return int(line[0])


def urn(type: str, name: str = "it") -> str:
    """The URN of a resource at the top of a stack."""
    return f"urn:pulumi:dev::project::{type}::{name}"
