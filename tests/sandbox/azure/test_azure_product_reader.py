"""The product's own reader of the Resource Manager, against the local Azure."""

from __future__ import annotations

import uuid

import pytest
from local_azure import CLUSTERS, LocalAzure
from restricted import READER, restricted

from arcgateway.arm import Refused


def test_a_list_is_read_over_all_its_pages(azure: LocalAzure) -> None:
    group, caller = azure.group(), restricted(azure)
    caller.assigned(group, READER)
    names = {f"many-{index:03}" for index in range(205)}
    for name in names:
        azure.cluster(group, name)
    found = caller.arm.list(f"{group}/providers/Microsoft.Kubernetes/connectedClusters", CLUSTERS)
    assert len(found) == len(names) and {one["name"] for one in found} == names
    with pytest.raises(Refused) as refused:
        caller.arm.list(f"{azure.subscription}/providers/Microsoft.Kubernetes/connectedClusters", CLUSTERS)
    assert refused.value.forbidden and refused.value.code == "AuthorizationFailed"
    with pytest.raises(Refused) as unknown:
        caller.arm.list(f"/subscriptions/{uuid.uuid4()}/providers/Microsoft.Kubernetes/connectedClusters", CLUSTERS)
    assert (unknown.value.status, unknown.value.code) == (404, "SubscriptionNotFound")
    assert caller.arm.caller == caller.client_id
