"""Resource ids."""

from __future__ import annotations

import pytest

from arcgateway.ids import ConnectedClusterId, GatewayId, cluster_of_entry, same

GUID = "11111111-2222-3333-4444-55555555abcd"
CLUSTER = f"/subscriptions/{GUID}/resourceGroups/rg.x_(1)/providers/Microsoft.Kubernetes/connectedClusters/edge-1"
GATEWAY = f"/subscriptions/{GUID}/resourceGroups/rg/providers/Microsoft.HybridCompute/gateways/gw"


def test_ids_are_read_and_written_in_any_case() -> None:
    cluster = ConnectedClusterId.parse(f" {CLUSTER.lower()}/ ")
    assert (cluster.subscription, cluster.resource_group, cluster.name) == (GUID, "rg.x_(1)", "edge-1")
    assert str(ConnectedClusterId.parse(CLUSTER)) == CLUSTER
    assert cluster == ConnectedClusterId.parse(CLUSTER.upper())
    assert len({cluster, ConnectedClusterId.parse(CLUSTER)}) == 1
    assert str(GatewayId.parse(GATEWAY.upper())).endswith("/providers/Microsoft.HybridCompute/gateways/GW")
    assert cluster != GatewayId(cluster.subscription, cluster.resource_group, cluster.name)
    assert same(CLUSTER, CLUSTER.upper() + "/") and not same(CLUSTER, None) and same(None, "")
    assert cluster.setting == f"{cluster}/providers/Microsoft.HybridCompute/settings/default"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gw",
        CLUSTER,
        GATEWAY + "/x",
        GATEWAY.replace(GUID, "guid"),
        GATEWAY + "?x",
        GATEWAY.replace("/rg/", "/rg./"),
        "https://management.azure.com" + GATEWAY,
    ],
)
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="give one of the form /subscriptions/GUID"):
        GatewayId.parse(text)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"resourceGroup": "ARC"}, "arc/east"),
        ({"resourceGroup": "arc", "name": "West"}, "arc/west"),
        ({"clusterId": str(ConnectedClusterId(GUID, "Arc", "North"))}, "arc/north"),
        ({"clusterId": "north"}, None),
        ({"name": "west"}, None),
    ],
    ids=["by its key", "by its name", "by its id", "no id", "no group"],
)
def test_which_cluster_an_entry_is(entry: dict[str, str], named: str | None) -> None:
    found = cluster_of_entry("East", entry, GUID)
    parsed = found and ConnectedClusterId.parse(found)
    assert (parsed and f"{parsed.resource_group}/{parsed.name}") == named
