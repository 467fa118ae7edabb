"""The audit of the dev stack's clusters against the gateway's own access log: same destinations, same counts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from dev_stack import outputs, up
from running_sandbox import Sandbox
from waiting import until

pytestmark = pytest.mark.long

#: What each cluster's agents are made to ask for, beside what they ask for by themselves.
ASKED = {
    "east": ["management.azure.com", "eastus.dp.kubernetesconfiguration.azure.com", "gbl.his.arc.azure.com"],
    "west": ["management.azure.com", "guestnotificationservice.azure.com"],
}


@pytest.fixture(scope="module", autouse=True)
def deployed(sandbox: Sandbox) -> str:
    return up(sandbox)


def proxy_of(sandbox: Sandbox, context: str) -> str:
    """The address on which a cluster's Arc Proxy takes its agents' connections."""
    pods = sandbox.json("kubectl", "--context", context, "-n", "azure-arc", "get", "pods", "-o", "json")
    (pod,) = [item for item in pods["items"] if item["metadata"]["name"].startswith("arc-proxy-")]
    return f"http://{pod['status']['podIP']}:{pod['spec']['containers'][0]['ports'][0]['containerPort']}"


def ask(sandbox: Sandbox, context: str, host: str) -> None:
    sandbox.run(
        *("curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "", "--output", "/dev/null"),
        *("--proxy", proxy_of(sandbox, context), "--cacert", sandbox.variables["SSL_CERT_FILE"], f"https://{host}/"),
        check=False,
    )


def audit(sandbox: Sandbox, *words: str) -> Any:
    done = sandbox.run(".venv/bin/python", "-m", "arcgateway", "audit", *words, "--json", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def carried(sandbox: Sandbox) -> Counter[tuple[str, str]]:
    """What the gateway says that it carried or refused: by target, connections and bytes."""
    found: Counter[tuple[str, str]] = Counter()
    for line in map(json.loads, (sandbox.home.root / "logs/gateway-access.log").read_text().splitlines()):
        counts = {"requests": 1, "bytesUp": line["bytesUp"], "bytesDown": line["bytesDown"]}
        found.update({(line["target"], figure): count for figure, count in counts.items()})
    return found


def through(report: Any) -> Counter[tuple[str, str]]:
    """What the audit says that went through the gateway. A gateway that was never reached says nothing of it."""
    found: Counter[tuple[str, str]] = Counter()
    for row in report["destinations"]:
        way = row["ways"].get("gateway", {})
        target = f"{row['host']}:{row['port']}"
        unreached = sum(count for cause, count in row["causes"].items() if cause.endswith(" UF"))
        found.update({(target, figure): way.get(figure, 0) for figure in ("requests", "bytesUp", "bytesDown")})
        found[target, "requests"] -= unreached
    return +found


def test_same_destinations_and_counts_as_the_gateways_own_log(sandbox: Sandbox) -> None:
    contexts = ("--context", "east", "--context", "west")

    def together() -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]], Any] | None:
        """Both logs while nothing changed: the agents ask on."""
        before, report = carried(sandbox), audit(sandbox, *contexts)
        return (before, through(report), report) if carried(sandbox) == before else None

    # The driver's preflight has asked the gateway before, past the Arc Proxies.
    gateway_before, pods_before, _ = until(together, every=0.3)
    for context, hosts in ASKED.items():
        for host in hosts:
            ask(sandbox, context, host)
    wanted = {f"{host}:443" for hosts in ASKED.values() for host in hosts}

    def agreed() -> Any:
        gateway, pods, report = together() or (Counter(), Counter(), None)
        carried_now, seen_now = gateway - gateway_before, pods - pods_before
        return report if carried_now == seen_now and wanted <= {target for target, _ in seen_now} else None

    report = until(agreed, 60, every=0.3)
    assert report["complete"] and report["regions"] == ["eastus"]
    assert report["gateway"] == outputs(sandbox)["gateway"]["endpoint"]
    rows = {row["host"]: row for row in report["destinations"]}
    assert rows["management.azure.com"]["list"] == "required"
    assert rows["guestnotificationservice.azure.com"]["list"] == "removable"
    assert set(rows["guestnotificationservice.azure.com"]["clusters"]) == {"west"}
    assert {row["verdict"] for row in report["removable"]} == {"unproven"}, "an hour is not over"
    proved = audit(sandbox, *contexts, "--at-least", "1s")
    assert {row["host"]: row["verdict"] for row in proved["removable"]}[
        "guestnotificationservice.azure.com"
    ] == "unused"


def test_what_goes_past_the_gateway_is_found(sandbox: Sandbox) -> None:
    """The gateway refuses a name that is not Azure's; the Arc Proxy then tries it directly."""
    ask(sandbox, "east", "example.com")

    def found() -> Any:
        rows = {row["host"]: row for row in audit(sandbox, "--context", "east")["destinations"]}
        return rows.get("example.com")

    row = until(found)
    assert row["list"] == "unlisted"
    assert row["ways"]["gateway"]["requests"] == row["ways"]["direct"]["requests"] == 1
    assert row["causes"]["403"] == 1


def test_squids_log_shows_the_gateway_as_the_destination(sandbox: Sandbox) -> None:
    log = sandbox.home.root / "squid/access.log"
    report = audit(sandbox, "--region", "eastus", "--file", str(log))
    rows = {row["host"]: row for row in report["destinations"]}
    endpoint = outputs(sandbox)["gateway"]["endpoint"]
    assert rows[endpoint]["list"] == "gateway" and rows[endpoint]["ways"]["gateway"]["requests"] > 0
    assert report["lines"]["forms"]["squid"] == report["lines"]["total"]
