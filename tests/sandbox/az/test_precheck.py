"""How the client reads the log of the check inside the cluster."""

from __future__ import annotations

import pytest

from sandbox.az.connectedk8s.precheck import judge

CONNECT = "Outbound Network Connectivity Check for Cluster Connect : https://eastus.obo.arc.azure.com:8084/ : {}"
ONBOARD = "Outbound Network Connectivity Check for Onboarding : https://mcr.microsoft.com : {}"
ENTRA = "Entra Authentication Endpoint Connectivity Check Result : https://login.microsoftonline.com : {}"


@pytest.mark.parametrize(
    ("log", "failures", "remarks"),
    [
        ("", 0, 0),
        ("DNS Result: Server 10.96.0.10\n", 0, 0),
        ("DNS Result: ** server can't find x: NXDOMAIN\n", 1, 0),
        (f"{CONNECT.format(200)}  {ONBOARD.format(200)}\n", 0, 0),
        (f"{CONNECT.format('000')}  {ONBOARD.format(200)}\n", 0, 1),
        (f"{CONNECT.format('000')}\n{ONBOARD.format('000')}\n", 1, 1),
        (f"{CONNECT.format(200)}  {ONBOARD.format('000')}\n", 1, 0),
        (f"{CONNECT.format(403)}\n{ONBOARD.format(407)}\n", 0, 0),
        (f"{ENTRA.format('000')}\n{ONBOARD.format(200)}\n", 1, 0),
        (f"{ENTRA.format(302)}\n{ONBOARD.format(200)}\n", 0, 0),
        ("Check Failed: CRD gitconfigs.clusterconfig.azure.com is owned by another release\n", 1, 0),
    ],
)
def test_only_no_answer_counts_against_an_endpoint(log: str, failures: int, remarks: int) -> None:
    verdict = judge(log)
    assert (len(verdict.failures), len(verdict.remarks)) == (failures, remarks)
