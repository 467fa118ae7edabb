"""What holds for every public component: names, inputs, outputs, descriptions and options."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import pulumi
import pytest
import trustme
from mock_engine import CLUSTER, SUBSCRIPTION, World, deploy

import components
from components.component import camel_case
from components.package import COMPONENTS, field_descriptions


class Case(NamedTuple):
    """One component with arguments that make it declare all its children, and its type token, which is for ever."""

    component: Any
    token: str
    args: dict[str, Any]


ROOT = trustme.CA().cert_pem.bytes().decode()
_CLUSTER = {**CLUSTER, "egress_policy": True}
CASES = [
    Case(
        components.ArcGateway,
        "arc-gateway:index:ArcGateway",
        {"resource_group_name": "arc", "create_resource_group": True, "location": "eastus", "gateway_name": "gw"},
    ),
    Case(
        components.GatewayOperatorRole,
        "arc-gateway:index:GatewayOperatorRole",
        {"scope": f"/subscriptions/{SUBSCRIPTION}", "manage_gateways": True, "principal_ids": ["p1", "p2"]},
    ),
    Case(
        components.ProxySettings,
        "arc-gateway:index:ProxySettings",
        {"https_url": "https://proxy.corp:3128", "skip_range": ["10.0.0.0/16"], "certificate": ROOT},
    ),
    Case(components.ConnectedCluster, "arc-gateway:index:ConnectedCluster", _CLUSTER),
    Case(components.GatewayAssociation, "arc-gateway:index:GatewayAssociation", _CLUSTER),
    Case(
        components.EndpointAllowlist,
        "arc-gateway:index:EndpointAllowlist",
        {
            "gateway_endpoint": "ab12.gw.arc.azure.com",
            "regions": ["eastus"],
            "formats": ["plain"],
            "firewall_policy_id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.Network"
            "/firewallPolicies/edge",
        },
    ),
]
every_component = pytest.mark.parametrize("case", CASES, ids=[case.component.__name__ for case in CASES])


def declared(case: Case, opts: pulumi.ResourceOptions | None = None) -> World:
    """What the engine is asked for when the component is declared."""

    def program() -> list[Any]:
        component = case.component("one", case.args, opts)
        return [component.urn, *(getattr(component, name) for name in public_outputs(case.component))]

    return deploy(program)


def own_request(world: World, case: Case) -> Any:
    (request,) = [request for request in world.requests if request.type == case.token]
    return request


def public_outputs(component: type) -> set[str]:
    """The annotated outputs of a component, inherited ones included."""
    found: set[str] = set()
    for owner in component.__mro__:
        if owner.__module__.startswith("components."):
            found |= {name for name in inspect.get_annotations(owner) if not name.startswith("_")}
    return found


def test_every_public_component_is_covered() -> None:
    assert {case.component for case in CASES} == set(COMPONENTS)


@every_component
def test_type_token_and_name(case: Case) -> None:
    request = own_request(declared(case), case)
    assert (request.type, request.name, request.custom) == (case.token, "one", False)


@every_component
def test_children_belong_to_the_component(case: Case) -> None:
    world = declared(case)
    urn = world.values[0]
    children = [request for request in world.requests if request.type != case.token and "Stack" not in request.type]
    assert [request.parent for request in children] == [urn] * len(children)
    assert all(request.name.startswith("one") for request in children)


@every_component
def test_arguments_are_properties_that_policies_see(case: Case) -> None:
    seen = declared(case).inputs(case.token)
    assert {name: seen.get(name) for name in camel_case(case.args)} == camel_case(case.args)


@every_component
def test_all_outputs_are_registered(case: Case) -> None:
    world = declared(case)
    registered = world.registered[world.values[0]]
    assert set(registered) == set(camel_case(dict.fromkeys(public_outputs(case.component))))


@every_component
def test_every_field_is_described(case: Case) -> None:
    arguments = inspect.get_annotations(case.component.__init__)["args"]
    assert set(field_descriptions(arguments)) == set(arguments.__annotations__)
    assert set(field_descriptions(case.component)) >= public_outputs(case.component)
    assert inspect.getdoc(case.component)
    texts = [*field_descriptions(arguments).values(), *field_descriptions(case.component).values()]
    assert [text for text in texts if not text.strip().endswith(".")] == []


@every_component
def test_the_callers_options_are_the_components_own(case: Case) -> None:
    aliases: Any = [pulumi.Alias(name="before")]
    options = pulumi.ResourceOptions(aliases=aliases, ignore_changes=["unheardOf"], replace_on_changes=["unheardOf"])
    world = declared(case, options)
    own = own_request(world, case)
    assert list(own.ignoreChanges) == list(own.replaceOnChanges) == ["unheardOf"]
    assert [alias.spec.name for alias in own.aliases] == ["before"]
    children = [request for request in world.requests if request.type != case.token]
    assert not [child.name for child in children if "unheardOf" in (*child.ignoreChanges, *child.replaceOnChanges)]
