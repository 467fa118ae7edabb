"""Lists in pages: `$top`, `$skiptoken` and `nextLink`."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote

from sandbox.azure.core import Call, Reply
from sandbox.azure.errors import ArmError
from sandbox.azure.store import Json, Page

PAGE, MAX_PAGE = 100, 1000


def page_bounds(call: Call) -> tuple[str, int]:
    """After which key a page begins, and how many items it may hold.

    Raises:
        ArmError: `$top` is no positive number, or `$skiptoken` is none of ours.
    """
    top = call.query.get("$top", str(PAGE))
    if not top.isascii() or not top.isdigit() or not int(top[:9]) > 0:
        raise ArmError(400, "InvalidTopParameter", f"The value '{top[:40]}' of '$top' is no positive number.")
    token = call.query.get("$skiptoken", "")
    try:
        after = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise ArmError(400, "InvalidSkipToken", "The '$skiptoken' is none that this service gave out.") from None
    return after, min(int(top[:9]), MAX_PAGE)


def page_reply(call: Call, page: Page) -> Reply:
    """A list, with the address of its next page when there is one."""
    body: Json = {"value": page.items}
    if page.after is not None:
        token = base64.urlsafe_b64encode(page.after.encode()).decode().rstrip("=")
        kept = {name: value for name, value in call.query.items() if name != "$skiptoken"}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in {**kept, "$skiptoken": token}.items())
        body["nextLink"] = f"{call.base}{call.path}?{query}"
    return Reply(200, body)
