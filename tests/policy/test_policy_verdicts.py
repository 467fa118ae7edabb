"""The rule against interception knows a verdict by the words in which the driver tells it."""

from __future__ import annotations

from typing import Any

import pytest
from arc_policies.interception import INTERCEPTED
from policy_cases import Case, StackCase, ask_stack

from arcgateway import preflight, proof, verdicts
from arcgateway.driver_settings import DriverSettings

RULE = "no-tls-terminating-proxies-in-stack"


def told(monkeypatch: pytest.MonkeyPatch, host: str, cause: str) -> str:
    """What the driver prints when its preflight finds this."""
    found = preflight.Result(host, 443, "fail", cause, "TLSv1.3, issuer CN=Corp", "mend", 1, host)
    report = preflight.Report("http://proxy:3128", (found,))

    def shared(*_: Any) -> tuple[preflight.Report, bool]:
        return report, True

    monkeypatch.setattr(verdicts, "shared", shared)
    lines: list[str] = []
    proof.prove(DriverSettings(location="eastus", preflight="warn"), lines.append)
    return "\n".join(lines)


def judged(config: dict[str, Any], **outputs: str) -> list[tuple[str, str]]:
    return ask_stack(RULE, StackCase("any", [Case("probe", "command:local:Command", outputs)], config=config))


def test_the_cause_is_one_of_the_preflight() -> None:
    assert INTERCEPTED in preflight.MENDS


def test_what_the_driver_tells_of_an_interception_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = told(monkeypatch, "p.gw.arc.azure.com", INTERCEPTED)
    ((message, _),) = judged({"profile": "ga"}, stderr=stderr, stdout="{}")
    assert "property stderr, holds a preflight verdict that saw TLS intercepted" in message
    assert "Corp" not in message


def test_an_interception_of_another_name_counts_by_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = told(monkeypatch, "mcr.microsoft.com", INTERCEPTED)
    assert len(judged({}, stderr=stderr)) == 1
    assert judged({"profile": "ga"}, stderr=stderr) == []


def test_other_causes_are_none_of_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged({}, stderr=told(monkeypatch, "p.gw.arc.azure.com", "denied-by-proxy")) == []
