"""Calls that write a resource of any type, which an option, an id or an address tells: `az resource`, `az rest`, ..."""

from __future__ import annotations

from collections.abc import Callable

from .arc_chart import put
from .arguments import NAME, Arguments, first, location, subscription
from .az_values import elsewhere, pairs, stated
from .reading import UNKNOWN, Value
from .shell import OPEN
from .tokens import arm_type_of_id, from_arm, subscription_of_id


def written(program: str, groups: str, args: Arguments) -> list[tuple[str, Callable[[Arguments], Value], str]]:
    """What a call writes, if it is one of these: the type, its properties, the call as messages name it."""
    kind, identity, body, existing = _declared(program, groups, args) or _requested(program, groups, args)
    if isinstance(identity, str) and not isinstance(kind, str):
        kind = arm_type_of_id(identity)
    if not isinstance(kind, str) or not kind:
        return []
    name = first(args.value(*NAME), args.parameter("ResourceName"), args.parameter("Name"))
    if isinstance(identity, str):
        name = identity.partition("?")[0].rstrip("/").rpartition("/")[2]
    made: Value = {
        "name": name,
        "id": identity,
        "subscriptionId": (subscription_of_id(identity) if isinstance(identity, str) else "") or subscription(args),
        "existing": existing,
        **_body(args, body),
    }
    return [(from_arm(kind), lambda _: made, f"az {groups}" if groups else program)]


def _body(args: Arguments, given: Value) -> dict[str, Value]:
    """What a call says of the resource, as ARM has it."""
    tags = pairs(args.values(("--tags", "--ta")))
    body: dict[str, Value] = {
        "location": location(args),
        "tags": UNKNOWN if args.parameter("Tag") is not None else tags,
    }
    read = stated(given) if isinstance(given, str) else given
    if isinstance(read, dict) and ("properties" in read or "tags" in read):
        body |= read
    else:
        body["properties"] = given if read is UNKNOWN and given is not UNKNOWN and not elsewhere(given) else read
    for pair in args.values(("--set", "--set")) or []:
        key, _, value = pair.partition("=")
        put(body, key.split("."), UNKNOWN if OPEN in value else value)
    return body


#: The ARM type if it is told, the id or address, the properties or the body, and whether the resource exists already.
_Written = tuple[Value, Value, Value, bool]


def _declared(program: str, groups: str, args: Arguments) -> _Written | None:
    if groups in {"resource create", "resource update"}:
        kind = args.value(("--resource-type", "--resource-t"))
        namespace, parent = args.value(("--namespace", "--names")), args.value(("--parent", "--pa"))
        if isinstance(kind, str) and isinstance(namespace, str) and "/" not in kind:
            above = parent.strip("/").split("/")[0::2] if isinstance(parent, str) and parent else []
            kind = "/".join([namespace, *above, kind])
        identity = args.value(("--id", "--id"), ("--ids", "--ids"))
        return kind, identity, args.value(("--properties", "--prop"), ("-p", "-p")), groups == "resource update"
    if program in {"new-azresource", "set-azresource"}:
        existing = program == "set-azresource"
        return args.parameter("ResourceType"), args.parameter("ResourceId"), args.parameter("Properties"), existing
    return None


def _requested(program: str, groups: str, args: Arguments) -> _Written:
    """Requests to Azure's API: those that write, and that name a resource."""
    if groups == "rest":
        method = args.value(("--method", "--m"), ("-m", "-m"))
        address = args.value(("--url", "--url"), ("--uri", "--uri"), ("-u", "-u"))
        body = args.value(("--body", "--b"), ("-b", "-b"))
    elif program == "curl":
        joined = next((word[2:] for word in args.options if word.startswith("-X") and len(word) > len("-X")), None)
        method = first(args.value(("--request", "--request"), ("-X", "-X")), joined)
        address = next((word for word in args.options if "/providers/" in word.lower()), None)
        body = args.value(("--data", "--data"), ("--data-raw", "--data-r"), ("--json", "--json"), ("-d", "-d"))
    elif program in _REQUESTS:
        method = args.parameter("Method")
        address = first(args.parameter("Path"), args.parameter("Uri"))
        body = first(args.parameter("Payload"), args.parameter("Body"))
    else:
        return None, None, None, False
    verb = method.lower() if isinstance(method, str) else ""
    return None, address if verb in {"put", "patch"} else None, body, verb == "patch"


_REQUESTS = frozenset({"invoke-azrestmethod", "invoke-restmethod", "irm", "invoke-webrequest", "iwr"})
