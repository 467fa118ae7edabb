"""The record of exemptions that counted, kept from the resources' policies for the stack's report."""

from __future__ import annotations

from threading import Lock

from .settings import Exemption
from .tokens import Resource


class Ledger:
    """Which exemption kept which rule from speaking of which resource; safe to use from several calls at once.

    A policy reports at its own level only, and a mandatory one cannot advise: so it notes, and the advice tells.
    """

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], tuple[Resource, Exemption]] = {}
        self._lock = Lock()

    def note(self, rule: str, resource: Resource, exemption: Exemption) -> None:
        """Keep that a rule left a resource alone."""
        with self._lock:
            self._noted[rule, resource.urn] = (resource, exemption)

    def entries(self) -> list[tuple[str, str]]:
        """A message and the resource's URN for each."""
        with self._lock:
            noted = sorted(self._noted.items(), key=lambda item: item[0])
        return [
            (
                f"{resource.name} ({resource.type}) is exempt from {rule} until {exemption.expires}: "
                f"{exemption.reason}",
                urn,
            )
            for (rule, urn), (resource, exemption) in noted
        ]
