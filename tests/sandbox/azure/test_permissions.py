"""What the local Azure refuses to callers without a right, to unregistered subscriptions and across tenants."""

from __future__ import annotations

import uuid

import pytest
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure, cluster_body
from restricted import GATEWAY_MANAGER, LOOK, ONBOARDING, READER, ROLES, restricted


def test_a_caller_without_a_role_is_refused_with_the_action_and_the_scope(azure: LocalAzure) -> None:
    group, caller = azure.group(), restricted(azure)
    path = f"{group}/providers/Microsoft.Kubernetes/connectedClusters/c"
    for method, action in (("GET", "read"), ("PUT", "write"), ("DELETE", "delete")):
        answer = caller.call(method, path, CLUSTERS, cluster_body() if method == "PUT" else None)
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "AuthorizationFailed"
        message = answer.json()["error"]["message"]
        assert f"'Microsoft.Kubernetes/connectedClusters/{action}' over scope '{path}'" in message
        assert caller.client_id in message and caller.object_id in message
    for other in (azure.subscription, f"{azure.subscription}/providers/Microsoft.Kubernetes"):
        assert caller.call("GET", other, GROUPS).status_code == 403
    assert azure.call("GET", path, CLUSTERS).status_code == 404, "nothing was written"


def test_a_role_counts_at_its_scope_and_below_it(azure: LocalAzure) -> None:
    group, other, caller = azure.group(), azure.group(), restricted(azure)
    caller.assigned(group, ONBOARDING)
    path = "/providers/Microsoft.Kubernetes/connectedClusters/c"
    assert caller.call("PUT", group + path, CLUSTERS, cluster_body()).status_code == 201
    assert caller.call("GET", group + path, CLUSTERS).status_code == 200
    assert caller.call("DELETE", group + path, CLUSTERS).status_code == 403
    assert caller.call("PUT", other + path, CLUSTERS, cluster_body()).status_code == 403
    assert caller.call("GET", azure.subscription, GROUPS).status_code == 200, (
        "its subscription is seen by who has a role"
    )
    assert caller.call("GET", f"{azure.subscription}/providers/Microsoft.Kubernetes", GROUPS).status_code == 200
    register = f"{azure.subscription}/providers/Microsoft.Kubernetes/register"
    assert caller.call("POST", register, GROUPS).status_code == 403


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("Microsoft.HybridCompute/settings/write", True),
        ("microsoft.kubernetes/connectedclusters/settings/default/WRITE", True),
        ("Microsoft.HybridCompute/*", True),
        ("Microsoft.HybridCompute/settings/read", False),
        ("Microsoft.Kubernetes/connectedClusters/write", False),
    ],
)
def test_either_documented_action_writes_an_association(azure: LocalAzure, action: str, allowed: bool) -> None:
    caller = restricted(azure)
    cluster = azure.cluster(azure.group(), "c")
    caller.may(cluster, action)
    body = {"properties": {"gatewayProperties": {"gatewayResourceId": None}}}
    answer = caller.call("PUT", f"{cluster}/providers/Microsoft.HybridCompute/settings/default", SETTINGS, body)
    assert answer.status_code == (200 if allowed else 403)


def test_permissions_are_a_list_with_an_entry_for_each_role(azure: LocalAzure) -> None:
    group, caller = azure.group(), restricted(azure)
    path = f"{group}/providers/Microsoft.Authorization/permissions"
    assert caller.call("GET", path, ROLES).status_code == 403
    caller.assigned(azure.subscription, READER)
    caller.may(group, "Microsoft.Kubernetes/*", but=("Microsoft.Kubernetes/connectedClusters/delete",))
    listed = caller.call("GET", path, ROLES).json()["value"]
    assert sorted((one["actions"], one["notActions"]) for one in listed) == [
        (["*/read"], []),
        (["Microsoft.Kubernetes/*"], ["Microsoft.Kubernetes/connectedClusters/delete"]),
    ]
    above = caller.call("GET", f"{azure.subscription}/providers/Microsoft.Authorization/permissions", ROLES)
    assert [one["actions"] for one in above.json()["value"]] == [["*/read"]]
    cluster = azure.cluster(group, "c")
    assert caller.call("DELETE", cluster, CLUSTERS).status_code == 403
    assert azure.call("GET", path, ROLES).json()["value"][0]["actions"] == ["*"], "the sandbox's own owns all"


def test_gateways_take_a_role_of_their_own(azure: LocalAzure) -> None:
    group, caller = azure.group(), restricted(azure)
    caller.may(group, *LOOK, "Microsoft.HybridCompute/gateways/read")
    path, body = f"{group}/providers/Microsoft.HybridCompute/gateways/g", {"location": "eastus"}
    assert caller.call("PUT", path, GATEWAYS, body).status_code == 403
    caller.assigned(group, GATEWAY_MANAGER)
    created = caller.call("PUT", path, GATEWAYS, body)
    assert created.status_code == 201
    assert caller.call("GET", created.headers["Azure-AsyncOperation"], "").status_code == 200


def test_an_unregistered_provider_takes_no_writes_until_it_is_registered(azure: LocalAzure) -> None:
    provider = f"{azure.subscription}/providers/Microsoft.Kubernetes"
    path = f"{azure.group()}/providers/Microsoft.Kubernetes/connectedClusters/c"
    assert azure.call("POST", f"{provider}/unregister", GROUPS).json()["registrationState"] == "Unregistered"
    refused = azure.call("PUT", path, CLUSTERS, cluster_body())
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    assert "'Microsoft.Kubernetes'" in refused.json()["error"]["message"]
    assert azure.call("POST", f"{provider}/register", GROUPS).json()["registrationState"] == "Registered"
    assert azure.call("PUT", path, CLUSTERS, cluster_body()).status_code == 201


def test_a_subscription_of_another_tenant_is_not_opened_by_this_tenants_token(azure: LocalAzure) -> None:
    foreign, tenant = str(uuid.uuid4()), str(uuid.uuid4())
    body = {"subscriptionId": foreign, "tenantId": tenant}
    assert azure.call("POST", "/sandbox/foreign-subscriptions", body=body).status_code == 201
    for path in (f"/subscriptions/{foreign}", f"/subscriptions/{foreign}/resourceGroups/g"):
        answer = azure.call("GET", path, GROUPS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenTenant")
        assert tenant in answer.json()["error"]["message"]
    wrong = azure.call("POST", "/sandbox/foreign-subscriptions", body={"subscriptionId": "x", "tenantId": tenant})
    assert wrong.status_code == 400


def test_added_principals_outlive_the_process(fresh: LocalAzure) -> None:
    caller = restricted(fresh)
    caller.assigned(fresh.subscription, READER)
    fresh.kill()
    fresh.start()
    assert caller.call("GET", fresh.subscription, GROUPS).status_code == 200
