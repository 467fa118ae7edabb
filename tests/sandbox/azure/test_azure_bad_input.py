"""What nobody should send: each gets an error of ARM's shape with the right status, and the service lives on."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure, cluster_body
from raw_http import answer, connection, exchange, head
from restricted import ROLES

INVALID = (400, "InvalidRequestContent")
NAME = (400, "InvalidResourceName")
NO_HTTP = (400, "BadRequest")
GATEWAY: dict[str, Any] = {"location": "eastus", "properties": {"allowedFeatures": ["*"]}}
#: Seconds that the impatient service of this module waits for the rest of a request.
PATIENCE = 2.0


@pytest.fixture(scope="module")
def group(azure: LocalAzure) -> str:
    return azure.group()


@pytest.fixture(autouse=True)
def _lives_on(azure: LocalAzure) -> Iterator[None]:
    pid = azure.pid
    yield
    assert azure.call("GET", azure.subscription, GROUPS).status_code == 200 and azure.pid == pid


def refused(found: tuple[int, Any]) -> tuple[int, str]:
    status, body = found
    assert set(body) == {"error"} and {"code", "message"} <= set(body["error"]), body
    assert body["error"]["message"]
    return status, body["error"]["code"]


def gateway(group: str, name: str) -> str:
    return f"{group}/providers/Microsoft.HybridCompute/gateways/{name}?api-version={GATEWAYS}"


def put(azure: LocalAzure, path: str, body: bytes, *lines: str) -> tuple[int, Any]:
    return exchange(azure, head(azure, "PUT", path, f"Content-Length: {len(body)}", *lines) + body)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".", NAME),
        ("..", NAME),
        ("%2e%2e", NAME),
        ("%2E%2e%2F", NAME),
        ("..%2F..%2Fetc%2Fpasswd", NAME),
        ("..%5C..%5Cwindows", NAME),
        ("%252e%252e", NAME),
        ("%252F", NAME),
        ("a%2Fb", NAME),
        ("a\\b", NAME),
        ("a%00b", NAME),
        ("a%0Ab", NAME),
        ("a%0D%0Ax-ms-request-id:%20b", NAME),
        ("a%7F", NAME),
        ("100%", NAME),
        ("%zz", NAME),
        ("a%2", NAME),
        ("%20", NAME),
        ("gw.", NAME),
        ("<script>", NAME),
        ("%C3%A9", NAME),
        ("a" * 55, NAME),
        ("a" * 9000, NAME),
        ("%FF", (404, "InvalidResource")),
        ("%ED%A0%80", (404, "InvalidResource")),
        ("\xe9", NO_HTTP),
        ("a b", NO_HTTP),
        ("a" * 17000, (414, "UriTooLong")),
    ],
)
def test_names_that_no_resource_has(azure: LocalAzure, group: str, name: str, expected: tuple[int, str]) -> None:
    assert refused(put(azure, gateway(group, name), json.dumps(GATEWAY).encode())) == expected
    inside = f"{group}/providers/Microsoft.HybridCompute/gateways"
    assert azure.call("GET", inside, GATEWAYS).json()["value"] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", INVALID),
        (b"{", INVALID),
        (b"null", INVALID),
        (b"[]", INVALID),
        (b'"text"', INVALID),
        (b"{}{}", INVALID),
        (b"{'location': 'eastus'}", INVALID),
        (b'{"location": NaN}', INVALID),
        (b'{"location": "eastus", "sku": {"capacity": -Infinity}}', INVALID),
        (b'{"location": "eastus", "sku": {"capacity": 1e999}}', INVALID),
        (b'{"location": "eastus", "sku": {"capacity": ' + b"9" * 5000 + b"}}", INVALID),
        (b'{"location": "eastus", "tags": {"a": "\\ud800"}}', INVALID),
        (b'{"location": "eastus", "tags": {"\\udfff": "a"}}', INVALID),
        (b'{"location": "eastus", "tags": {"a": "\xff"}}', INVALID),
        ('{"location": "eastus"}'.encode("utf-16"), INVALID),
        (b'{"location": "eastus", "sku": ' + b'{"a":' * 65 + b"1" + b"}" * 66, INVALID),
        (b'{"location": "eastus", "sku": ' + b"[" * 900 + b"]" * 900 + b"}", INVALID),
        (b"[" * 100_000, INVALID),
        (b'{"location": "eastus", "location": "mars"}', (400, "LocationNotAvailableForResourceType")),
    ],
)
def test_bodies_that_are_no_resource(azure: LocalAzure, group: str, body: bytes, expected: tuple[int, str]) -> None:
    for path in (gateway(group, "body"), f"{group}/providers/Microsoft.Any/things/body?api-version=2024-01-01"):
        found = put(azure, path, body)
        if "Microsoft.Any" not in path or expected == INVALID:
            assert refused(found) == expected
    for path in ("/sandbox/clock", "/azure-arc-k8sagents/GetHelmSettings"):
        data = head(azure, "POST", path, f"Content-Length: {len(body)}") + body
        assert refused(exchange(azure, data)) == INVALID


def test_a_compressed_body_is_not_unpacked(azure: LocalAzure, group: str) -> None:
    bomb = gzip.compress(b'{"location": "' + b"x" * 50_000_000 + b'"}')
    assert refused(put(azure, gateway(group, "bomb"), bomb, "Content-Encoding: gzip")) == INVALID


WRONG: dict[type, Any] = {str: "text", int: 7, bool: True, list: [], dict: {}}
GOOD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gateway": ("/providers/Microsoft.HybridCompute/gateways/typed", GATEWAYS, GATEWAY),
    "settings": (
        "{cluster}/providers/Microsoft.HybridCompute/settings/default",
        SETTINGS,
        {"properties": {"gatewayProperties": {"gatewayResourceId": None}}},
    ),
    "scope": ("/providers/Microsoft.HybridCompute/privateLinkScopes/typed", GATEWAYS, {"location": "eastus"}),
    "cluster": ("{cluster}", CLUSTERS, cluster_body()),
    "role": (
        "/providers/Microsoft.Authorization/roleDefinitions/11111111-1111-1111-1111-111111111111",
        ROLES,
        {"properties": {"roleName": "typed", "permissions": [{"actions": ["*/read"]}]}},
    ),
    "assignment": (
        "/providers/Microsoft.Authorization/roleAssignments/22222222-2222-2222-2222-222222222222",
        ROLES,
        {
            "properties": {
                "principalId": "33333333-3333-3333-3333-333333333333",
                "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/"
                "acdd72a7-3385-48ef-bd42-f606fba81ae7",
            }
        },
    ),
    "group": ("", GROUPS, {"location": "eastus"}),
}


@pytest.mark.parametrize(
    ("kind", "path", "right"),
    [
        ("gateway", "location", str),
        ("gateway", "tags", dict),
        ("gateway", "tags.a", str),
        ("gateway", "kind", str),
        ("gateway", "identity", dict),
        ("gateway", "properties", dict),
        ("gateway", "properties.allowedFeatures", list),
        ("gateway", "properties.allowedFeatures.0", str),
        ("gateway", "properties.gatewayType", str),
        ("gateway", "properties.gatewayBypass", list),
        ("gateway", "properties.gatewayBypass.0", str),
        ("settings", "properties", dict),
        ("settings", "properties.gatewayProperties", dict),
        ("settings", "properties.gatewayProperties.gatewayResourceId", str),
        ("scope", "properties.publicNetworkAccess", str),
        ("cluster", "identity", dict),
        ("cluster", "identity.type", str),
        ("cluster", "kind", str),
        ("cluster", "properties.agentPublicKeyCertificate", str),
        ("cluster", "properties.distribution", str),
        ("cluster", "properties.distributionVersion", str),
        ("cluster", "properties.infrastructure", str),
        ("cluster", "properties.privateLinkState", str),
        ("cluster", "properties.privateLinkScopeResourceId", str),
        ("cluster", "properties.azureHybridBenefit", str),
        ("cluster", "properties.aadProfile", dict),
        ("cluster", "properties.aadProfile.enableAzureRBAC", bool),
        ("cluster", "properties.aadProfile.adminGroupObjectIDs", list),
        ("cluster", "properties.aadProfile.adminGroupObjectIDs.0", str),
        ("cluster", "properties.aadProfile.tenantID", str),
        ("cluster", "properties.arcAgentProfile", dict),
        ("cluster", "properties.arcAgentProfile.agentAutoUpgrade", str),
        ("cluster", "properties.arcAgentProfile.desiredAgentVersion", str),
        ("cluster", "properties.arcAgentProfile.systemComponents", list),
        ("cluster", "properties.arcAgentProfile.systemComponents.0", dict),
        ("cluster", "properties.arcAgentProfile.systemComponents.0.majorVersion", int),
        ("cluster", "properties.securityProfile.workloadIdentity.enabled", bool),
        ("cluster", "properties.oidcIssuerProfile.enabled", bool),
        ("cluster", "properties.gateway", dict),
        ("cluster", "properties.gateway.enabled", bool),
        ("cluster", "properties.arcAgentryConfigurations", list),
        ("cluster", "properties.arcAgentryConfigurations.0", dict),
        ("cluster", "properties.arcAgentryConfigurations.0.feature", str),
        ("cluster", "properties.arcAgentryConfigurations.0.settings", dict),
        ("cluster", "properties.arcAgentryConfigurations.0.settings.a", str),
        ("cluster", "properties.arcAgentryConfigurations.0.protectedSettings.a", str),
        ("role", "properties", dict),
        ("role", "properties.roleName", str),
        ("role", "properties.description", str),
        ("role", "properties.assignableScopes", list),
        ("role", "properties.assignableScopes.0", str),
        ("role", "properties.permissions", list),
        ("role", "properties.permissions.0", dict),
        ("role", "properties.permissions.0.actions", list),
        ("role", "properties.permissions.0.notActions.0", str),
        ("assignment", "properties.principalId", str),
        ("assignment", "properties.roleDefinitionId", str),
        ("assignment", "properties.principalType", str),
        ("assignment", "properties.condition", str),
        ("group", "location", str),
        ("group", "tags", dict),
        ("group", "tags.a", str),
    ],
)  # fmt: skip
def test_a_wrong_type_at_every_property(
    azure: LocalAzure, group: str, typed_cluster: str, kind: str, path: str, right: type
) -> None:
    address, version, good = GOOD[kind]
    address = typed_cluster + address.removeprefix("{cluster}") if "{cluster}" in address else group + address
    for other, value in WRONG.items():
        if other is right:
            continue
        answered = azure.call("PUT", address, version, planted(good, path.split("."), value))
        found = refused((answered.status_code, answered.json()))
        assert found[0] == 400, (value, found)
        if found == INVALID:
            assert path.split(".")[-1].rstrip("0") in answered.json()["error"]["message"], answered.text


@pytest.fixture(scope="module")
def typed_cluster(azure: LocalAzure, group: str) -> str:
    return azure.cluster(group, "typed")


def planted(document: Any, path: list[str], value: Any) -> Any:
    """A copy with a value at a path; what lacks on the way is made."""
    if not path:
        return value
    if path[0] == "0":
        return [planted((document or [{}])[0], path[1:], value)]
    default = {"feature": "f"} if path[0] in ("settings", "protectedSettings", "feature") else {}
    document = document or default
    return {**document, path[0]: planted(document.get(path[0]), path[1:], value)}


ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
WRITE = b"PUT / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"BREW /coffee HTTP/1.1\r\nHost: localhost\r\n\r\n", NO_HTTP),
        (b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n", NO_HTTP),
        (b"GET / HTTP/7.3\r\nHost: localhost\r\n\r\n", NO_HTTP),
        (b"GET / HTTP/1.1\r\n\r\n", NO_HTTP),
        (ASK + b"X-\x01: a\r\n\r\n", NO_HTTP),
        (ASK + b"X: a\r\n" * 200 + b"\r\n", NO_HTTP),
        (ASK + b"X: " + b"a" * 33_000 + b"\r\n\r\n", (431, "RequestHeaderFieldsTooLarge")),
        (b"GET /?" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", (414, "UriTooLong")),
        (WRITE + b"Content-Length: -1\r\n\r\n", NO_HTTP),
        (WRITE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", NO_HTTP),
        (WRITE + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", NO_HTTP),
        (WRITE + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nab\r\n0\r\n\r\n", NO_HTTP),
        (b"\x00\x01nonsense\r\n\r\n", NO_HTTP),
    ],
)  # fmt: skip
def test_what_is_no_http(azure: LocalAzure, data: bytes, expected: tuple[int, str]) -> None:
    assert refused(exchange(azure, data)) == expected


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /subscriptions?x=" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (ASK + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
        (ASK + b"X: a\r\n" * 100_000 + b"\r\n", 400),
    ],
)
def test_what_is_enormous_is_refused_or_cut_off(azure: LocalAzure, data: bytes, status: int) -> None:
    # The service hangs up before all of it is there; whether its answer arrives is the network's choice.
    with contextlib.suppress(OSError):
        assert refused(exchange(azure, data))[0] == status


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "LOCK", "PROPFIND"])
def test_methods_that_arm_does_not_take(azure: LocalAzure, group: str, method: str) -> None:
    for path in (gateway(group, "x"), f"{azure.subscription}/resourceGroups?api-version={GROUPS}"):
        assert refused(exchange(azure, head(azure, method, path))) == (405, "HttpMethodNotAllowed")


@pytest.mark.parametrize("version", ["2099-01-01", "latest", "2025-13-45", "%00", "'", "2024-07-31-preview-preview"])
def test_versions_that_are_none(azure: LocalAzure, group: str, version: str) -> None:
    body = json.dumps(GATEWAY).encode()
    one = gateway(group, "x").split("?")[0] + f"?api-version={version}"
    status, code = refused(put(azure, one, body))
    assert (status, code) == (400, "NoRegisteredProviderFound")
    assert refused(exchange(azure, head(azure, "GET", one))) == (404, "InvalidResourceType")
    assert refused(exchange(azure, head(azure, "GET", f"{group}?api-version={version}")))[0] == 400
    if version not in ("2099-01-01", "2025-13-45"):
        anything = f"{group}/providers/Microsoft.Any/things/x?api-version={version}"
        assert refused(put(azure, anything, body)) == (400, "InvalidApiVersionParameter")


@pytest.mark.parametrize("path", ["nowhere/providers/Microsoft.Any/things/x", "x/y/z", "resourceGroups/g/x"])
def test_addresses_that_lie_nowhere(azure: LocalAzure, path: str) -> None:
    address = f"{azure.subscription}/{path}?api-version=2024-01-01"
    assert refused(put(azure, address, b'{"location": "eastus"}'))[0] == 404


def test_a_thousand_parameters_and_a_long_query_are_no_harm(azure: LocalAzure) -> None:
    many = "&".join(f"a{index}=1" for index in range(1000))
    for query in (many, "$filter=" + "(" * 5000, "$top=" + "9" * 5000, "$skiptoken=" + "A" * 5000, "api-version=x"):
        path = f"{azure.subscription}/resourceGroups?api-version={GROUPS}&{query}"
        assert exchange(azure, head(azure, "GET", path))[0] in (200, 400)


def test_ids_in_headers_come_back_as_they_were_and_split_nothing(azure: LocalAzure) -> None:
    path = f"{azure.subscription}?api-version={GROUPS}"
    data = head(azure, "GET", path, "x-ms-correlation-request-id: \xe9\x80", "x-ms-client-request-id: a%0d%0ab: c")
    assert exchange(azure, data)[0] == 200


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    with LocalAzure(tmp_path_factory.mktemp("impatient") / "home", patience=PATIENCE) as azure:
        yield azure


def test_heads_that_do_not_end_are_cut_off(impatient: LocalAzure) -> None:
    host = "HTTP/1.1\r\nHost: localhost\r\n"
    with contextlib.ExitStack() as stack:
        waiting = []
        for sent in ("", "GET /subscr", f"GET / {host}X-Half: ", f"PUT / {host}"):
            waiting.append(stack.enter_context(connection(impatient)))
            waiting[-1].sendall(sent.encode())
        assert [tls.recv(1) for tls in waiting] == [b""] * len(waiting)


def test_bodies_that_do_not_end_are_answered_and_cut_off(impatient: LocalAzure) -> None:
    chunked, path = "Transfer-Encoding: chunked", f"{impatient.subscription}/resourceGroups/g"
    framed = (("Content-Length: 99", b'{"location"'), (chunked, b"b\r\n{"), (chunked, b"2\r\n{}\r\nZZ\r\n"))
    with contextlib.ExitStack() as stack:
        waiting = []
        for framing, sent in framed:
            waiting.append(stack.enter_context(connection(impatient)))
            waiting[-1].sendall(head(impatient, "PUT", path, framing))
            assert impatient.call("GET", impatient.subscription, GROUPS).status_code == 200
            waiting[-1].sendall(sent)
        for tls in waiting:
            assert refused(answer(tls)) == (408, "RequestTimeout")
            assert tls.recv(1) == b"", "the connection is of no more use"


def test_a_body_that_is_broken_off_leaves_no_trace(impatient: LocalAzure) -> None:
    path = f"{impatient.subscription}/resourceGroups/half?api-version={GROUPS}"
    with connection(impatient) as tls:
        tls.sendall(head(impatient, "PUT", path, "Content-Length: 99") + b'{"location": "eastus"}')
    assert impatient.call("GET", path).status_code == 404
    assert "Traceback" not in (impatient.home.folder("logs") / "azure.log").read_text()


def test_a_handshake_that_is_never_made_is_cut_off_and_holds_nobody_up(impatient: LocalAzure) -> None:
    silent = [socket.create_connection(("127.0.0.1", impatient.port), timeout=20) for _ in range(50)]
    try:
        assert impatient.call("GET", impatient.subscription, GROUPS).elapsed.total_seconds() < PATIENCE
        for one in silent[:25]:
            one.sendall(b"\x16\x03\x01")
        for one in silent:
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1) == b""
    finally:
        for one in silent:
            one.close()


def test_a_clock_that_is_moved_too_far_is_refused_and_goes_on(fresh: LocalAzure) -> None:
    statuses = []
    while statuses[-1:] != [400]:
        statuses.append(fresh.call("POST", "/sandbox/clock", body={"advance": 10**9 - 1}).status_code)
        assert len(statuses) < 200
    assert fresh.call("PUT", f"{fresh.subscription}/resourceGroups/late", GROUPS, {"location": "eastus"}).ok


def test_the_keys_are_readable_by_their_owner_alone(azure: LocalAzure) -> None:
    folder = Path(azure.bundle).parent
    keys = sorted(path for path in folder.iterdir() if "PRIVATE KEY" in path.read_text())
    assert [path.name for path in keys] == ["azure.key", "root.key"]
    for path in keys:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
