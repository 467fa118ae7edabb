"""A plugin as the engine's ResourceProvider: translation between its messages and `Plugin`, and the process's life."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import NoReturn, cast

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from sandbox.plugins.changes import root
from sandbox.plugins.fields import Failure
from sandbox.plugins.plugin import HalfMade, Log, Naming, Plugin, PluginError, Refused, Resource, State
from sandbox.plugins.values import Properties, decode, encode, plain

#: One thread an operation, and an operation may wait for minutes; threads are made when needed.
OPERATIONS = 512
MESSAGE_BYTES = 400 * 1024 * 1024
PARENT_LOOK = 0.5

_DiffRequest = provider_pb2.DiffRequest
_CheckRequest = provider_pb2.CheckRequest


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The gRPC face of a plugin."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=True, supports_autonaming_configuration=True
        )

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.plugin.version)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        if request.version:
            context.abort(grpc.StatusCode.UNKNOWN, f"unsupported schema version {request.version}")
        document = {"name": self.plugin.name, "version": self.plugin.version, **self.plugin.schema()}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(document))

    def GetMapping(
        self, request: provider_pb2.GetMappingRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetMappingResponse:
        return provider_pb2.GetMappingResponse()

    def CheckConfig(self, request: _CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: _DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse()

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        with self._told(context):
            prefix = f"{self.plugin.name}:config:"
            variables = {key.removeprefix(prefix): value for key, value in request.variables.items()}
            self.plugin.configure(variables | plain(decode(request.args)))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            acceptResources=True,
            acceptOutputs=True,
            supports_autonaming_configuration=True,
        )

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        response = provider_pb2.InvokeResponse()
        with self._told(context):
            try:
                result = self.plugin.invoke(request.tok, decode(request.args))
            except Refused as error:
                response.failures.extend(map(_failure, error.failures))
            else:
                getattr(response, "return").CopyFrom(encode(result))  # the field's name is a word of the language
        return response

    def Check(self, request: _CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        with self._told(context):
            checked = self.plugin.check(
                Resource(request.urn), decode(request.olds), decode(request.news), _naming(request)
            )
        return provider_pb2.CheckResponse(
            inputs=encode(checked.inputs),
            failures=map(_failure, checked.failures),
        )

    def Diff(self, request: _DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        with self._told(context):
            difference = self.plugin.diff(Resource(request.urn), _state(request), decode(request.news))
        Response = provider_pb2.DiffResponse
        replacing = [path for path, change in difference.changes.items() if change.replaces]
        return Response(
            changes=Response.DIFF_SOME if difference.changes else Response.DIFF_NONE,
            diffs=_roots(difference.changes),
            replaces=_roots(replacing),
            deleteBeforeReplace=bool(replacing) and difference.delete_first,
            detailedDiff={
                path: provider_pb2.PropertyDiff(
                    kind=cast("provider_pb2.PropertyDiff.Kind.ValueType", change.number),
                    inputDiff=difference.of_inputs,
                )
                for path, change in difference.changes.items()
            },
            hasDetailedDiff=True,
        )

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        resource, inputs = Resource(request.urn), decode(request.properties)
        with self._told(context):
            if request.preview:
                made = self.plugin.preview(resource, None, inputs)
            else:
                made = self.plugin.create(resource, inputs, request.timeout)
        return provider_pb2.CreateResponse(id=made.id, properties=encode(made.outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        with self._told(context):
            old = State(request.id, decode(request.inputs), decode(request.properties))
            found = self.plugin.read(Resource(request.urn), old)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=found.id, properties=encode(found.outputs), inputs=encode(found.inputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        resource, old, inputs = Resource(request.urn), _state(request), decode(request.news)
        with self._told(context):
            if request.preview:
                outputs = self.plugin.preview(resource, old, inputs).outputs
            else:
                outputs = self.plugin.update(resource, old, inputs, request.timeout)
        return provider_pb2.UpdateResponse(properties=encode(outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        with self._told(context):
            old = State(request.id, decode(request.old_inputs), decode(request.properties))
            self.plugin.delete(Resource(request.urn), old, request.timeout)
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.plugin.cancel()
        return empty_pb2.Empty()

    @contextmanager
    def _told(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Errors as the engine shows them: the message alone for those meant for a person."""
        try:
            yield
        except HalfMade as error:
            _abort_half_made(context, error)
        except PluginError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:
            traceback.print_exc()
            context.abort(grpc.StatusCode.INTERNAL, f"the sandbox's {self.plugin.name} plugin is at fault: {error!r}")


def serve(make: Callable[[Log], Plugin]) -> NoReturn:
    """Be a plugin process: print the port on standard output, serve until told to stop or the engine is gone.

    The engine's address is the first command-line argument; without one nothing is logged to it.
    """
    parent = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    server = grpc.server(
        ThreadPoolExecutor(OPERATIONS),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)],
    )
    plugin = make(_engine_log(sys.argv[1] if len(sys.argv) > 1 else ""))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(plugin), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK)
    os._exit(0)  # at once: operations under way have nobody left to answer


def _engine_log(address: str) -> Log:
    if not address:
        return lambda line, urn: None
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def log(line: str, urn: str) -> None:
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True)
        with suppress(grpc.RpcError):  # an engine on its way out takes no more lines; the operation matters more
            engine.Log(request, timeout=10)

    return log


def _failure(bad: Failure) -> provider_pb2.CheckFailure:
    return provider_pb2.CheckFailure(property=bad.path, reason=bad.reason)


def _naming(request: _CheckRequest) -> Naming:
    if not request.HasField("autonaming"):
        return Naming(request.randomSeed)
    refused = request.autonaming.mode == _CheckRequest.AutonamingOptions.DISABLE
    return Naming(request.randomSeed, request.autonaming.proposed_name, refused)


def _state(request: _DiffRequest | provider_pb2.UpdateRequest) -> State:
    return State(request.id, decode(request.old_inputs), decode(request.olds))


def _roots(paths: Iterable[str]) -> list[str]:
    return sorted({root(path) for path in paths})


def _abort_half_made(context: grpc.ServicerContext, error: HalfMade) -> NoReturn:
    outputs: Properties = error.outputs
    details = any_pb2.Any()
    details.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=encode(outputs), inputs=encode(error.inputs), reasons=[str(error)]
        )
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error), details=[details])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, str(error))
    raise AssertionError("abort always raises")
