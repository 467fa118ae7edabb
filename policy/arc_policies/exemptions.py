"""What is to be told once at the end of a run: exemptions that counted, and settings that set nothing."""

from __future__ import annotations

from threading import Lock

from .settings import Exemption
from .tokens import Resource


class Ledger:
    """Kept by all policies while resources come, told by the stack's; safe to use from several calls at once.

    A policy reports at its own level only, and a mandatory one cannot advise: so it notes, and the advice tells.
    """

    def __init__(self) -> None:
        self._exempt: dict[tuple[str, str, Exemption], Resource] = {}
        self._idle: set[tuple[str, str]] = set()
        self._lock = Lock()

    def note(self, rule: str, resource: Resource, exemption: Exemption) -> None:
        """Keep that a rule left a resource alone."""
        with self._lock:
            self._exempt[rule, resource.urn, exemption] = resource

    def note_idle(self, policy: str, key: str) -> None:
        """Keep that a key of a policy's configuration sets nothing."""
        with self._lock:
            self._idle.add((policy, key))

    def told(self) -> list[tuple[str, str]]:
        """All notes as messages, each with the URN of its resource ("" for the stack); what is told is forgotten.

        One process may serve a preview and the update after it: each tells what it saw itself.
        """
        with self._lock:
            idle, self._idle = sorted(self._idle), set()
            exempt, self._exempt = sorted(self._exempt.items(), key=lambda item: item[0][:2]), {}
        settings = [
            (f"The configuration of {policy} holds {key!r}, which sets nothing: look for a slip of the pen.", "")
            for policy, key in idle
        ]
        return settings + [
            (
                f"{resource.name} ({resource.type}) is exempt from {rule} until {exemption.expires}: "
                f"{exemption.reason}",
                urn,
            )
            for (rule, urn, exemption), resource in exempt
        ]
