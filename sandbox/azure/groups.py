"""Resource groups, and the lists of resources that ARM itself keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.azure import catalogue, ids, lro, tags
from sandbox.azure.core import Azure, Call, Reply, conform
from sandbox.azure.errors import ArmError, group_not_found, invalid_api_version
from sandbox.azure.paging import page_bounds, page_reply
from sandbox.azure.resources import system_data
from sandbox.azure.store import Json, Page

KIND = "Microsoft.Resources/resourceGroups"
VERSIONS = (
    "2015-11-01", "2016-02-01", "2016-06-01", "2016-09-01", "2017-05-10", "2018-02-01", "2018-05-01", "2019-03-01",
    "2019-05-01", "2019-05-10", "2019-07-01", "2019-08-01", "2019-10-01", "2020-06-01", "2020-08-01", "2020-10-01",
    "2021-01-01", "2021-04-01", "2022-09-01", "2022-12-01", "2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01",
    "2025-03-01", "2025-04-01",
)  # fmt: skip
#: Seconds that ARM's deletion of a group takes here; in life, as long as its resources need.
DELETION = 0.9

_CLAUSE = re.compile(r"(\w+)\s+eq\s+'([^']*)'")


def check_version(call: Call) -> None:
    """Refuse a version that ARM's own types do not have.

    Raises:
        ArmError: 400.
    """
    if call.api_version not in VERSIONS:
        raise invalid_api_version(call.api_version, VERSIONS)


def put(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Create or replace a group."""
    check_version(call)
    ids.check_group(params["group"])
    old = _find(azure, params["group"])
    conform(call.document, {"location": str}, "")
    location = call.document.get("location") or (old or {}).get("location")
    if not location:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    plain = location.replace(" ", "").lower()
    if plain not in catalogue.LOCATIONS:
        known = ",".join(catalogue.LOCATIONS)
        raise ArmError(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{location[:80]}' is not available for resource group. "
            f"List of available regions is '{known}'.",
        )
    if old and old["location"] != plain:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{plain}'. "
            f"The Resource group already exists in location '{old['location']}'.",
        )
    name = old["name"] if old else params["group"]
    document: Json = {
        "id": f"/subscriptions/{azure.identity.subscription_id}/resourceGroups/{name}",
        "name": name,
        "type": KIND,
        "location": plain,
        "tags": tags.checked(call.document),
        "properties": {"provisioningState": "Succeeded"},
    }
    _store(azure, call, document, old)
    return Reply(200 if old else 201, _shown(document))


def patch(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Change a group's tags."""
    check_version(call)
    old = _existing(azure, params["group"])
    document = {**old, **({"tags": tags.checked(call.document)} if "tags" in call.document else {})}
    _store(azure, call, document, old)
    return Reply(200, _shown(document))


def get(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Read a group."""
    check_version(call)
    return Reply(200, _shown(_existing(azure, params["group"])))


def head(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Whether a group is there."""
    check_version(call)
    return Reply(204 if _find(azure, params["group"]) else 404)


def delete(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Delete a group with all that is in it."""
    check_version(call)
    old = _existing(azure, params["group"])
    operation = azure.store.pending_operation(old["id"])
    if operation is None:
        old["properties"]["provisioningState"] = "Deleting"
        azure.store.rewrite(old)
        seconds = azure.durations.get(f"{KIND}:delete".lower(), DELETION)
        operation = lro.begin(azure, old, "delete", seconds, call.ending)
    prefix = f"{call.base}/subscriptions/{azure.identity.subscription_id}"
    location = f"{prefix}/operationresults/{operation.id}?api-version={call.api_version}"
    return Reply(202, None, {"Location": location, "Retry-After": lro.wait()})


def listing(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """The groups of a subscription, perhaps those with one tag."""
    check_version(call)
    after, limit = page_bounds(call)
    page = azure.store.in_subscription(azure.identity.subscription_id, KIND, after, limit)
    wanted = _wanted(call)
    shown = [_shown(item) for item in page.items if _is_wanted(item, wanted)]
    return page_reply(call, Page(shown, page.after))


def resources(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """The resources of a group or of the subscription that `$filter` asks for: who they are, without properties."""
    check_version(call)
    wanted = _wanted(call)
    group = params.get("group")
    if group:
        _existing(azure, group)
    after, limit = page_bounds(call)
    subscription, group = azure.identity.subscription_id, group or wanted.get("resourcegroup")
    page = azure.store.tracked(subscription, group, wanted.get("resourcetype"), after, limit)
    keys = ("id", "name", "type", "kind", "location", "identity", "tags")
    shown = [{key: one[key] for key in keys if key in one} for one in page.items if _is_wanted(one, wanted)]
    return page_reply(call, Page(shown, page.after))


def _is_wanted(resource: Json, wanted: Mapping[str, str]) -> bool:
    for key in ("name", "location"):
        if key in wanted and resource.get(key, "").lower() != wanted[key].lower():
            return False
    tag, tags = wanted.get("tagname"), resource.get("tags") or {}
    return tag is None or (tag in tags and wanted.get("tagvalue", tags[tag]) == tags[tag])


def _wanted(call: Call) -> Mapping[str, str]:
    return {name.lower(): value for name, value in _CLAUSE.findall(call.query.get("$filter", ""))}


def _find(azure: Azure, name: str) -> Json | None:
    return azure.store.get(f"/subscriptions/{azure.identity.subscription_id}/resourceGroups/{name}")


def _existing(azure: Azure, name: str) -> Json:
    found = _find(azure, name)
    if found is None:
        raise group_not_found(name)
    return found


def _store(azure: Azure, call: Call, document: Json, old: Json | None) -> None:
    if old and azure.store.pending_operation(old["id"]):
        raise ArmError(
            409,
            "ResourceGroupBeingDeleted",
            f"The resource group '{old['name']}' is in deprovisioning state and cannot perform this operation.",
        )
    document["systemData"] = system_data(azure, call, old)
    subscription = azure.identity.subscription_id
    azure.store.put(
        document, subscription=subscription, group="", scope=f"/subscriptions/{subscription}", tracked=False
    )


def _shown(document: Json) -> Json:
    return {key: value for key, value in document.items() if key != "systemData"}
