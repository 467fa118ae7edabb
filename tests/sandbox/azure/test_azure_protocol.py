"""What ARM says on the wire: errors, ids, versions, operations, lists, limits."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import uuid
from typing import Any

import pytest
import requests
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure, cluster_body

BAD = (400, "InvalidRequestContent")
GATEWAY: dict[str, Any] = {"location": "eastus", "properties": {"allowedFeatures": ["*"]}}


def code(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["code"]


def gateway_id(group: str, name: str) -> str:
    return f"{group}/providers/Microsoft.HybridCompute/gateways/{name}"


def test_nobody_gets_in_without_a_good_token(azure: LocalAzure) -> None:
    for header, expected in (
        (None, "AuthenticationFailed"),
        ("Basic abc", "AuthenticationFailedInvalidHeader"),
        ("Bearer a.b.c", "InvalidAuthenticationToken"),
        ("Bearer é", "InvalidAuthenticationToken"),
    ):
        answer = azure.call(
            "GET", "/subscriptions", "2022-12-01", headers={"Authorization": header.encode() if header else None}
        )
        assert code(answer) == (401, expected)
        assert f"login.microsoftonline.com/{azure.identity.tenant_id}" in answer.headers["WWW-Authenticate"]
    url = f"{azure.url}/{azure.identity.tenant_id}/oauth2/v2.0/token"
    token = azure.session.post(url, data=azure.credentials(scope="https://vault.azure.net/.default"), timeout=5).json()
    answer = azure.call(
        "GET", "/subscriptions", "2022-12-01", headers={"Authorization": f"Bearer {token['access_token']}"}
    )
    assert code(answer) == (401, "InvalidAuthenticationTokenAudience")


def test_both_token_endpoints_answer(azure: LocalAzure) -> None:
    data = azure.credentials(resource="https://management.core.windows.net/")
    answer = azure.session.post(f"{azure.url}/{azure.identity.tenant_id}/oauth2/token", data=data, timeout=5).json()
    assert isinstance(answer["expires_on"], str)
    header = {"Authorization": f"Bearer {answer['access_token']}"}
    assert azure.call("GET", "/subscriptions", "2022-12-01", headers=header).status_code == 200
    wrong = azure.session.post(
        f"{azure.url}/{azure.identity.tenant_id}/oauth2/v2.0/token",
        data=azure.credentials(client_secret="x"),
        timeout=5,
    )
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.json()["error_codes"] == [7000215]


def test_discovery_names_the_host_that_was_asked(azure: LocalAzure) -> None:
    def ask(host: str, path: str) -> dict[str, Any]:
        return dict(azure.call("GET", path, headers={"Host": host}).json())

    public, own = "login.microsoftonline.com", f"localhost:{azure.port}"
    for tenant in (azure.identity.tenant_id, "common", "organizations"):
        for host in (public, own):
            found = ask(host, f"/{tenant}/v2.0/.well-known/openid-configuration")
            assert found["token_endpoint"] == f"https://{host}/{tenant}/oauth2/v2.0/token"
    found = ask(public, "/common/discovery/instance?authorization_endpoint=https://login.microsoftonline.com/t/oauth2")
    assert found["tenant_discovery_endpoint"] == f"https://{public}/t/v2.0/.well-known/openid-configuration"
    assert public in found["metadata"][0]["aliases"]


def test_metadata_names_public_hosts_to_public_hosts_and_itself_to_its_own(azure: LocalAzure) -> None:
    def ask(host: str, version: str) -> Any:
        return azure.call("GET", "/metadata/endpoints", version, headers={"Host": host}).json()

    assert ask("management.azure.com", "2022-09-01")["resourceManager"] == "https://management.azure.com/"
    own = ask(f"localhost:{azure.port}", "2022-09-01")
    assert own["resourceManager"] == own["authentication"]["loginEndpoint"] == azure.url
    assert ask("management.azure.com", "2019-05-01")[0]["name"] == "AzureCloud"
    oldest = ask(f"127.0.0.1:{azure.port}", "2015-01-01")
    assert oldest["authentication"]["loginEndpoint"] == f"https://127.0.0.1:{azure.port}"


@pytest.mark.parametrize(
    ("method", "path", "version", "body", "expected"),
    [
        ("GET", "{sub}/resourceGroups/absent", GROUPS, None, (404, "ResourceGroupNotFound")),
        ("GET", "{group}/providers/Microsoft.HybridCompute/gateways/x", GATEWAYS, None, (404, "ResourceNotFound")),
        (
            "GET",
            "{sub}/resourceGroups/absent/providers/Microsoft.HybridCompute/gateways/x",
            GATEWAYS,
            None,
            (404, "ResourceGroupNotFound"),
        ),
        ("GET", "/subscriptions/{uuid}/resourceGroups", GROUPS, None, (404, "SubscriptionNotFound")),
        ("GET", "/subscriptions/nonsense/resourceGroups", GROUPS, None, (400, "InvalidSubscriptionId")),
        ("GET", "{group}", "", None, (400, "MissingApiVersionParameter")),
        ("GET", "{group}", "1999-01-01", None, (400, "InvalidApiVersionParameter")),
        ("GET", "{gw}", "2023-01-01", None, (404, "InvalidResourceType")),
        ("PUT", "{gw}", "2023-01-01", GATEWAY, (400, "NoRegisteredProviderFound")),
        ("PUT", "{gw}", GATEWAYS, {"properties": {}}, (400, "LocationRequired")),
        ("PUT", "{gw}", GATEWAYS, {"location": "mars"}, (400, "LocationNotAvailableForResourceType")),
        ("PUT", "{gw}", GATEWAYS, {**GATEWAY, "properties": {"gatewayType": "Private"}}, BAD),
        ("PUT", "{gw}", GATEWAYS, {**GATEWAY, "properties": {"allowedFeatures": "*"}}, BAD),
        ("PUT", "{gw}", GATEWAYS, {**GATEWAY, "properties": []}, BAD),
        ("PUT", "{gw}", GATEWAYS, {**GATEWAY, "location": 7}, BAD),
        ("PUT", "{gw}", GATEWAYS, {**GATEWAY, "tags": {"a": 1}}, BAD),
        ("PUT", "{gw}", GATEWAYS, [1], BAD),
        ("PUT", "{gw}" + "x" * 60, GATEWAYS, GATEWAY, (400, "InvalidResourceName")),
        ("PUT", "{gw}%20%C3%A9", GATEWAYS, GATEWAY, (400, "InvalidResourceName")),
        ("PUT", "{gw}%2F..%2F..%2Fescape", GATEWAYS, GATEWAY, (400, "InvalidResourceName")),
        ("PUT", "{gw}%00", GATEWAYS, GATEWAY, (400, "InvalidResourceName")),
        ("GET", "{gw}%FF", GATEWAYS, None, (404, "InvalidResource")),
        ("PUT", "{sub}/resourceGroups/" + "g" * 91, GROUPS, {"location": "eastus"}, (400, "InvalidResourceGroup")),
        ("PUT", "{sub}/resourceGroups/a!b", GROUPS, {"location": "eastus"}, (400, "InvalidResourceGroup")),
        ("PUT", "{cluster}", CLUSTERS, {"location": "eastus"}, (400, "InvalidIdentityType")),
        ("PUT", "{cluster}", CLUSTERS, cluster_body(gateway={"enabled": "yes"}), BAD),
        ("PUT", "{cluster}", CLUSTERS, cluster_body(agentPublicKeyCertificate=None), BAD),
        ("PUT", "{cluster}", CLUSTERS, cluster_body(arcAgentryConfigurations=[{}]), BAD),
        ("PUT", "{cluster}{settings}", SETTINGS, {}, (404, "ResourceNotFound")),
        ("POST", "{gw}", GATEWAYS, {}, (405, "HttpMethodNotAllowed")),
        ("DELETE", "{sub}", GROUPS, None, (405, "HttpMethodNotAllowed")),
        ("GET", "{sub}/providers/Microsoft.Nonsense", GROUPS, None, (404, "InvalidResourceNamespace")),
        ("GET", "{gws}?$skiptoken=!", GATEWAYS, None, (400, "InvalidSkipToken")),
        ("GET", "{gws}?$top=0", GATEWAYS, None, (400, "InvalidTopParameter")),
    ],
)  # fmt: skip
def test_what_is_refused(
    azure: LocalAzure,
    errors_group: str,
    method: str,
    path: str,
    version: str,
    body: Any,
    expected: tuple[int, str],
) -> None:
    group = errors_group
    names = {
        "sub": azure.subscription,
        "group": group,
        "uuid": str(uuid.uuid4()),
        "gw": gateway_id(group, "gw"),
        "gws": f"{group}/providers/Microsoft.HybridCompute/gateways",
        "settings": "/providers/Microsoft.HybridCompute/settings/default",
        "cluster": f"{group}/providers/Microsoft.Kubernetes/connectedClusters/c",
    }
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value)
    answer = azure.call(method, path, version, body)
    assert code(answer) == expected
    if expected[1] in ("NoRegisteredProviderFound", "InvalidResourceType"):
        assert GATEWAYS in answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def errors_group(azure: LocalAzure) -> str:
    return azure.group()


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b'{"location": NaN}', b"[" * 100_000, b'"text"'])
def test_a_body_that_is_no_object_is_refused(azure: LocalAzure, errors_group: str, body: bytes) -> None:
    answer = azure.call("PUT", gateway_id(errors_group, "gw"), GATEWAYS, data=body)
    assert code(answer) == (400, "InvalidRequestContent")


def test_a_huge_body_gets_413_and_the_service_lives_on(azure: LocalAzure, errors_group: str) -> None:
    path = gateway_id(errors_group, "gw")
    answer = azure.call("PUT", path, GATEWAYS, data=b'{"location": "' + b"x" * 11 * 1024 * 1024 + b'"}')
    assert code(answer) == (413, "RequestContentTooLarge")

    def chunks() -> Any:
        for _ in range(120):
            yield b"x" * 100_000

    answer = azure.call("PUT", path, GATEWAYS, data=chunks())
    assert code(answer) == (413, "RequestContentTooLarge")
    assert azure.call("GET", "/subscriptions", "2022-12-01").status_code == 200


def test_half_a_request_and_no_http_do_no_harm(azure: LocalAzure) -> None:
    context = ssl.create_default_context(cafile=azure.bundle)
    for data in (
        b"PUT /subscriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{",
        b"\x00\x01nonsense\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", azure.port), timeout=5) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(data)
    assert azure.call("GET", "/subscriptions", "2022-12-01").status_code == 200


def test_only_loopback_is_listened_on(azure: LocalAzure) -> None:
    import psutil

    listening = [one.laddr for one in psutil.Process(azure.pid).net_connections() if one.status == "LISTEN"]
    assert listening == [("127.0.0.1", azure.port)]


def test_ids_are_compared_without_case_and_keep_theirs(azure: LocalAzure) -> None:
    group = azure.group()
    identifier = azure.gateway(group, "MyGateway")
    found = azure.call("GET", identifier.upper(), GATEWAYS).json()
    assert (found["id"], found["name"], found["type"]) == (identifier, "MyGateway", "Microsoft.HybridCompute/gateways")
    again = azure.call("PUT", identifier.lower(), GATEWAYS, GATEWAY)
    assert (again.status_code, again.json()["id"]) == (200, identifier)
    assert again.json()["properties"]["gatewayId"] == found["properties"]["gatewayId"]
    assert azure.call("DELETE", identifier.upper(), GATEWAYS).status_code == 202


def test_an_operation_has_a_result_and_a_deletion_holds_off_writes(azure: LocalAzure) -> None:
    azure.durations(gateway=600)
    try:
        identifier = gateway_id(azure.group(), "slow")
        made = azure.call("PUT", identifier, GATEWAYS, GATEWAY)
        assert (made.status_code, made.headers["Retry-After"]) == (201, "1")
        result = made.headers["Location"]
        for seconds, status in ((0, 202), (300, 202), (301, 200)):
            azure.advance(seconds)
            assert azure.call("GET", result).status_code == status
        ready = azure.call("GET", result).json()["properties"]
        assert ready["gatewayEndpoint"] == f"{ready['gatewayId']}.gw.arc.azure.com"

        gone = azure.call("DELETE", identifier, GATEWAYS)
        assert code(azure.call("PUT", identifier, GATEWAYS, GATEWAY)) == (409, "Conflict")
        assert azure.call("GET", gone.headers["Location"]).status_code == 202
        azure.advance(601)
        assert azure.call("GET", gone.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
        assert azure.call("GET", gone.headers["Location"]).status_code == 204
        assert azure.call("DELETE", identifier, GATEWAYS).status_code == 204
    finally:
        azure.durations(gateway=0.9)


def test_a_creation_repeated_joins_the_one_that_goes_on(azure: LocalAzure) -> None:
    azure.durations(gateway=600)
    try:
        identifier = gateway_id(azure.group(), "twice")
        first, second = (azure.call("PUT", identifier, GATEWAYS, GATEWAY) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.headers["Azure-AsyncOperation"] == second.headers["Azure-AsyncOperation"]
        assert first.json()["properties"]["gatewayId"] == second.json()["properties"]["gatewayId"]
        azure.call("DELETE", identifier, GATEWAYS)
        azure.advance(601)
        assert azure.call("GET", identifier, GATEWAYS).status_code == 404
    finally:
        azure.durations(gateway=0.9)


def test_a_gateway_that_takes_no_time_is_answered_with_what_its_specification_knows(azure: LocalAzure) -> None:
    azure.durations(gateway=0)
    try:
        identifier = gateway_id(azure.group(), "quick")
        statuses = [azure.call("PUT", identifier, GATEWAYS, GATEWAY).status_code for _ in range(2)]
        assert statuses == [201, 200]
        assert azure.call("GET", identifier, GATEWAYS).json()["properties"]["provisioningState"] == "Succeeded"
        assert azure.call("DELETE", identifier, GATEWAYS).status_code == 204
        assert azure.call("GET", identifier, GATEWAYS).status_code == 404
    finally:
        azure.durations(gateway=0.9)


def test_a_slow_cluster_is_accepted_then_succeeds(azure: LocalAzure) -> None:
    azure.durations(cluster=60)
    try:
        identifier = azure.cluster(azure.group(), "slow")
        assert azure.call("GET", identifier, CLUSTERS).json()["properties"]["provisioningState"] == "Accepted"
        azure.advance(61)
        properties = azure.call("GET", identifier, CLUSTERS).json()["properties"]
        assert (properties["provisioningState"], properties["arcAgentProfile"]["agentState"]) == (
            "Succeeded",
            "Succeeded",
        )
    finally:
        azure.durations(cluster=0)


def test_the_sixth_gateway_of_a_subscription_is_refused(fresh: LocalAzure) -> None:
    groups = [fresh.group(), fresh.group()]
    made = [fresh.gateway(groups[index % 2], f"gw{index}") for index in range(5)]
    refused = fresh.call("PUT", gateway_id(groups[0], "gw5"), GATEWAYS, GATEWAY)
    assert refused.status_code == 409 and "limit of 5" in refused.json()["error"]["message"]
    assert fresh.call("PUT", made[0], GATEWAYS, GATEWAY).status_code == 200
    fresh.call("DELETE", made[0], GATEWAYS)
    fresh.advance(1)
    fresh.gateway(groups[0], "gw5")


def test_lists_are_paged_by_links_that_stay_right(azure: LocalAzure) -> None:
    group = azure.group()
    made = [azure.cluster(group, f"c{index}") for index in range(7)]
    path, seen = f"{group}/providers/Microsoft.Kubernetes/connectedClusters?$top=3", []
    version = CLUSTERS
    while path:
        page = azure.call("GET", path, version).json()
        seen.append([one["id"] for one in page["value"]])
        path, version = page.get("nextLink", ""), ""
        if len(seen) == 1:
            azure.call("DELETE", made[2], CLUSTERS)
    assert [len(page) for page in seen] == [3, 3, 1]
    assert [one for page in seen for one in page] == made


def test_request_ids_come_back(azure: LocalAzure) -> None:
    sent = {"x-ms-client-request-id": "mine", "x-ms-return-client-request-id": "true"}
    answer = azure.call("GET", "/subscriptions", "2022-12-01", headers={**sent, "x-ms-correlation-request-id": "corr"})
    assert answer.headers["x-ms-client-request-id"] == "mine"
    assert answer.headers["x-ms-correlation-request-id"] == "corr"
    uuid.UUID(answer.headers["x-ms-request-id"])


def test_a_clock_moves_forward_only_and_on_the_own_host_only(azure: LocalAzure) -> None:
    assert code(azure.call("POST", "/sandbox/clock", body={"advance": -1})) == (400, "InvalidRequestContent")
    assert code(azure.call("POST", "/sandbox/clock", body={"advance": "1"})) == (400, "InvalidRequestContent")
    public = azure.call("POST", "/sandbox/clock", body={"advance": 1}, headers={"Host": "management.azure.com"})
    assert public.status_code == 404
    assert azure.call("GET", "/", headers={"Host": "example.org"}).status_code == 421


def test_other_names_of_azure_answer_a_probe(azure: LocalAzure) -> None:
    context = ssl.create_default_context(cafile=azure.bundle)
    for name in ("gbl.his.arc.azure.com", "eastus.obo.arc.azure.com", "eastus.login.microsoft.com", "dl.k8s.io"):
        with socket.create_connection(("127.0.0.1", azure.port), timeout=5) as raw:
            with context.wrap_socket(raw, server_hostname=name) as tls:
                tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                answer = http.client.HTTPResponse(tls)
                answer.begin()
                assert (answer.status, name in answer.read().decode()) == (200, True)
    arrived = azure.call("GET", "/sandbox/requests").json()["value"]
    assert json.dumps(arrived).count("gbl.his.arc.azure.com") == 1
