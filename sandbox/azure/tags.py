"""Tags: what a resource's may be, and Microsoft.Resources/tags, by which they are changed without the resource."""

from __future__ import annotations

from sandbox.azure import ids, preconditions
from sandbox.azure.catalogue import ResourceType
from sandbox.azure.core import Azure, Call, Reply, Shape, conform, expect, optional
from sandbox.azure.errors import ArmError, group_not_found, invalid_content, resource_not_found
from sandbox.azure.ids import Target
from sandbox.azure.store import Json

KIND = "Microsoft.Resources/tags"
VERSIONS = (
    "2019-10-01", "2020-06-01", "2020-10-01", "2021-01-01", "2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01",
    "2024-07-01", "2024-11-01", "2025-03-01", "2025-04-01",
)  # fmt: skip
MOST, LONGEST_NAME, LONGEST_VALUE = 50, 512, 256

_SHAPE: Shape = {"operation": str, "properties": {"tags": dict}}
#: Where the subscription's own are kept, which is no resource of the store.
_SUBSCRIPTION = "tags.subscription"


def checked(document: Json) -> Json:
    """The tags of a body; none for null.

    Raises:
        ArmError: there are too many, or one is too long or no text.
    """
    tags: Json = optional(document.get("tags"), dict, "tags")
    if len(tags) > MOST:
        raise ArmError(400, "InvalidTags", f"The resource has {len(tags)} tags; the maximum is {MOST}.")
    for name, value in tags.items():
        expect(value, str, f"tags.{name[:40]}")
        if len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE:
            raise ArmError(
                400,
                "InvalidTags",
                f"The tag '{name[:40]}' is too long: names have at most {LONGEST_NAME} characters, "
                f"values {LONGEST_VALUE}.",
            )
    return tags


def of_subscription(azure: Azure) -> Json:
    """The subscription's own tags."""
    found: Json = azure.store.setting(_SUBSCRIPTION, {})
    return found


def _get(azure: Azure, call: Call, target: Target) -> Reply:
    identifier, tags = _read(azure, target)
    return Reply(200, _shown(identifier, tags))


def _put(azure: Azure, call: Call, target: Target) -> Reply:
    return _write(azure, target, _given(call))


def _patch(azure: Azure, call: Call, target: Target) -> Reply:
    given, (_, before) = _given(call), _read(azure, target)
    match call.document.get("operation"):
        case "Merge":
            return _write(azure, target, before | given)
        case "Replace":
            return _write(azure, target, given)
        case "Delete":
            # By name alone where no value is given.
            kept = (name for name in before if name not in given or given[name] not in ("", before[name]))
            left = {name: before[name] for name in kept}
            return _write(azure, target, left)
    raise invalid_content("'operation' is none of Merge, Replace, Delete")


def _delete(azure: Azure, call: Call, target: Target) -> Reply:
    _write(azure, target, {})
    return Reply(200)


def _given(call: Call) -> Json:
    conform(call.document, _SHAPE, "")
    return checked(call.properties)


def _read(azure: Azure, target: Target) -> tuple[str, Json]:
    if target.scope.count("/") == 2 and target.subscription:
        return f"/subscriptions/{azure.identity.subscription_id}", of_subscription(azure)
    document = _tagged(azure, target)
    return document["id"], document.get("tags") or {}


def _write(azure: Azure, target: Target, tags: Json) -> Reply:
    checked({"tags": tags})
    identifier, _ = _read(azure, target)
    if identifier.count("/") == 2:
        azure.store.set(_SUBSCRIPTION, tags)
    else:
        document = {**_tagged(azure, target), "tags": tags}
        azure.store.rewrite({**document, "etag": preconditions.fresh()} if "etag" in document else document)
    return Reply(200, _shown(identifier, tags))


def _tagged(azure: Azure, target: Target) -> Json:
    found = azure.store.get(target.scope)
    if found is not None:
        return found
    owner = ids.parse_id(target.scope)
    if owner is None:
        raise group_not_found(target.group or "")
    raise resource_not_found(owner.kind, "/".join(owner.names), owner.group)


def _shown(identifier: str, tags: Json) -> Json:
    return {
        "id": f"{identifier}/providers/{KIND}/default",
        "name": "default",
        "type": KIND,
        "properties": {"tags": tags},
    }


#: The type, for the table.
TYPE = ResourceType(
    KIND,
    versions=VERSIONS,
    anywhere=True,
    lacks=("HEAD", "LIST"),
    verbs={"GET": _get, "PUT": _put, "PATCH": _patch, "DELETE": _delete},
)
