"""Providers that take every type and every property, served to the engine from the caller's own process.

The engine attaches to them (PULUMI_DEBUG_PROVIDERS) where it would start a plugin, so a run of it costs no process for
each package, and the caller sees what was created.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.plugins.changes import changes
from sandbox.plugins.plugin import Checked, Difference, Naming, Plugin, Resource, State
from sandbox.plugins.server import MESSAGE_BYTES, Servicer
from sandbox.plugins.values import UNKNOWN, Properties

#: A resource whose output `value` is what its input `becomes` says, and not known before it is created.
LATER = "random:index:Later"

#: Names that a package's schema keeps for itself.
RESERVED = frozenset({"id", "urn", "pulumi"})


class AnyProvider(Plugin):
    """One package. What it is told to make is kept by name, and exists nowhere else.

    Args:
        name: the package's.
        properties: of each of its types, the names that the schema is to have.
    """

    version = "1.0.0"

    def __init__(self, name: str, properties: Mapping[str, Iterable[str]]) -> None:
        self.name = name
        self.created: set[str] = set()
        self._properties = properties

    def configure(self, settings: Properties) -> None:
        pass

    def schema(self) -> dict[str, Any]:
        anything = {"$ref": "pulumi.json#/Any"}
        resources = {
            token: {
                key: dict.fromkeys(sorted({*names} - RESERVED), anything) for key in ("inputProperties", "properties")
            }
            for token, names in self._properties.items()
            if not token.startswith("pulumi:providers:")
        }
        own = self._properties.get(f"pulumi:providers:{self.name}", ())
        return {"resources": resources, "provider": {"inputProperties": dict.fromkeys(sorted({*own}), anything)}}

    def check(self, resource: Resource, old: Properties, new: Properties, naming: Naming) -> Checked:
        return Checked(new)

    def diff(self, resource: Resource, old: State, inputs: Properties) -> Difference:
        return Difference(changes(old.inputs, inputs, lambda path: False))

    def preview(self, resource: Resource, old: State | None, inputs: Properties) -> State:
        return State("", inputs, {**inputs, "value": UNKNOWN} if resource.type == LATER else inputs)

    def create(self, resource: Resource, inputs: Properties, timeout: float) -> State:
        self.created.add(resource.name)
        outputs = {**inputs, "value": inputs.get("becomes")} if resource.type == LATER else inputs
        return State(resource.name, inputs, outputs)

    def update(self, resource: Resource, old: State, inputs: Properties, timeout: float) -> Properties:
        return inputs

    def read(self, resource: Resource, old: State) -> State | None:
        return old

    def delete(self, resource: Resource, old: State, timeout: float) -> None:
        self.created.discard(resource.name)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        return {}

    def cancel(self) -> None:
        pass


@contextmanager
def serving(providers: Iterable[AnyProvider]) -> Iterator[str]:
    """Serve each at a port of its own; yields what PULUMI_DEBUG_PROVIDERS is to say."""
    servers: list[grpc.Server] = []
    addresses: list[str] = []
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)]
    with ThreadPoolExecutor(8) as pool:
        try:
            for provider in providers:
                server = grpc.server(pool, options=options)
                provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider), server)
                addresses.append(f"{provider.name}:{server.add_insecure_port('127.0.0.1:0')}")
                server.start()
                servers.append(server)
            yield ",".join(addresses)
        finally:
            for server in servers:
                server.stop(0).wait()
