"""ETags, and writes that depend on them.

As the contract between ARM and its providers has it (github.com/Azure/azure-resource-manager-rpc, v1.0/Addendum.md,
"ETags for Resources"): a provider may keep them, and ARM itself never looks at them. None of Microsoft.HybridCompute's,
Microsoft.Kubernetes' and Microsoft.Authorization's specifications documents an etag or either header for the types that
the sandbox knows, and so those ignore both. A type that is kept as it comes has them.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sandbox.azure.errors import ArmError

if TYPE_CHECKING:
    from sandbox.azure.core import Call
    from sandbox.azure.store import Json


def fresh() -> str:
    """The etag of what has just been written."""
    return f'"{uuid.uuid4()}"'


def check(call: Call, old: Json | None) -> None:
    """Refuse a write to something that is not as its client takes it to be.

    Args:
        old: what is there; a PATCH or a DELETE of nothing has been answered before.

    Raises:
        ArmError: 412.
    """
    match, none = call.headers.get("if-match", ""), call.headers.get("if-none-match", "")
    etag = old.get("etag") if old else None
    if old is not None and match in ("", "*", etag):
        # What If-Match asks for holds; If-None-Match asks for the opposite.
        match = none if none in ("*", etag) else ""
    if match:
        what = f"has the etag {etag}" if old else "does not exist"
        raise ArmError(
            412,
            "PreconditionFailed",
            f"The resource {what}, so the condition '{match[:80]}' of the request does not hold. Read it, and write "
            "with the etag that it has then.",
        )
