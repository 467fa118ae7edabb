"""Asks the running local Azure's own controls, below `/sandbox/`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from sandbox.certificates import certificates
from sandbox.home import Home
from sandbox.service import direct

_SECONDS = 10


class NotRunning(Exception):
    """Nothing answers where the local Azure would."""


class Refused(Exception):
    """The local Azure does not do what it is asked; the message says why."""


def ask(home: Home, method: str, path: str, body: object = None) -> Any:
    """Ask, and return the JSON of the answer; None where it has none.

    Raises:
        NotRunning: there is no answer.
        Refused: the answer is an error.
    """
    port = home.port("azure")
    request = urllib.request.Request(
        f"https://localhost:{port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with direct(certificates(home).root).open(request, timeout=_SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise Refused(json.load(error)["error"]["message"]) from None
    except OSError as problem:
        why = getattr(problem, "reason", problem)
        raise NotRunning(
            f"the sandbox's Azure does not answer on port {port} ({why}): start it with `python -m sandbox up`"
        ) from None
    return json.loads(text) if text else None
