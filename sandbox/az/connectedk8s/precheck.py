"""The check from inside the cluster that comes before onboarding: a helm release with a Job, and the Job's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.az.connectedk8s.agents import step
from sandbox.az.connectedk8s.settings import Settings
from sandbox.az.errors import AzError
from sandbox.az.helm import NAMESPACE, Helm
from sandbox.az.kube import Cluster

RELEASE = "cluster-diagnostic-checks"
CHART = "mcr.microsoft.com/azurearck8s/helmchart/stable/clusterdiagnosticchecks:1.36.1"

WATCH_SECONDS = 60
_JOB = "cluster-diagnostic-checks-job"
_CONTAINER = "cluster-diagnostic-checks-container"
_ATTEMPTS = 3

PREREQUISITES = "https://learn.microsoft.com/azure/azure-arc/kubernetes/quickstart-connect-cluster#prerequisites"


@dataclass(frozen=True)
class Verdict:
    """What a log says.

    Attributes:
        failures: why onboarding can't go on.
        remarks: what will not work, but does not stop it.
    """

    failures: tuple[str, ...]
    remarks: tuple[str, ...]


def check(cluster: Cluster, helm: Helm, location: str, settings: Settings) -> tuple[str, ...]:
    """Run the check; returns its remarks.

    Raises:
        AzError: it failed, or did not come to an end.
    """
    step("Starting Pre-onboarding-check")
    try:
        completed, log = _run(cluster, helm, location, settings)
    except AzError as problem:
        raise AzError(
            f"An exception has occured while trying to execute pre-onboarding diagnostic checks: {problem.message}\n"
            "Execution of pre-onboarding checks failed. Not proceeding with cluster onboarding. "
            f"Please meet the prerequisites at {PREREQUISITES} and try onboarding again."
        ) from problem
    verdict = judge(log)
    if verdict.failures:
        raise AzError(
            "One or more pre-onboarding diagnostic checks failed and hence not proceeding with cluster onboarding. "
            f"Please resolve them and try onboarding again.\n{chr(10).join(verdict.failures)}"
        )
    if not completed:
        raise AzError(
            "Cluster diagnostics job didn't reach completed state in the kubernetes cluster. The possible reasons "
            "can be resource "
            "constraints on the cluster.\nExecution of pre-onboarding checks failed. Not proceeding with cluster "
            "onboarding. "
            f"Please meet the prerequisites at {PREREQUISITES} and try onboarding again."
        )
    step("The required pre-checks for onboarding have succeeded.")
    return verdict.remarks


def judge(log: str) -> Verdict:
    """Read a Job's log; an empty one passes. Any status of a proxy passes too: only `000` is no answer."""
    failures, remarks = [], []
    lines = log.splitlines()
    if any("DNS Result:" in line and "NXDOMAIN" in line for line in lines):
        failures.append("Error: We found an issue with the DNS resolution on your cluster.")
    if any("Check Failed: CRD" in line for line in lines):
        failures.append("Error: We found CRDs on your cluster that are owned by another release.")
    for line in lines:
        if line.startswith("Entra ") and _code(line) == "000":
            failures.append(
                f"Error: We found an issue with outbound network connectivity to the Entra endpoint {_url(line)}."
            )
    outbound = [part for line in lines if "Outbound Network Connectivity" in line for part in line.split("  ")]
    if len(outbound) > 1 and _code(outbound[0]) == "000":
        remarks.append(
            "An error occurred with cluster connect: The outbound network connectivity check has failed for the "
            "endpoint - "
            f'{_url(outbound[0])}\nThis will affect the "cluster-connect" feature.'
        )
    if outbound and _code(outbound[-1]) == "000":
        failures.append(
            "Error: We found an issue with outbound network connectivity from the cluster to the endpoints required "
            "for onboarding: "
            f"{_url(outbound[-1])}\nIf your cluster is behind an outbound proxy server, please ensure that you have "
            "passed proxy "
            "parameters during the onboarding of your cluster."
        )
    return Verdict(tuple(failures), tuple(remarks))


def _code(line: str) -> str:
    return line.rsplit(" : ", 1)[-1].strip()


def _url(line: str) -> str:
    return [*line.split(" : "), ""][1].strip()


def _run(cluster: Cluster, helm: Helm, location: str, settings: Settings) -> tuple[bool, str]:
    stale = helm.release_namespace(RELEASE)
    if stale:
        helm.uninstall(RELEASE, stale)
    path, _, version = CHART.rpartition(":")
    step(f"Pulling HelmChart: {path}, Version: {version}")
    chart = helm.pull(CHART)
    proxies = settings.protected.get("proxy", {})
    values: dict[str, Any] = {
        "location": location,
        "azureCloud": "AZUREPUBLICCLOUD",
        "httpProxy": proxies.get("http_proxy", ""),
        "httpsProxy": proxies.get("https_proxy", ""),
        "noProxy": proxies.get("no_proxy", ""),
        "proxyCert": settings.certificate,
    }
    step("Creating Cluster Diagnostic Checks job")
    try:
        helm.upgrade(RELEASE, chart, {"global": values}, WATCH_SECONDS)
        completed = _completed(cluster)
        return completed, _log(cluster)
    finally:
        helm.uninstall(RELEASE, NAMESPACE)


def _completed(cluster: Cluster) -> bool:
    for job in cluster.watch(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", WATCH_SECONDS):
        if job["metadata"]["name"] != _JOB:
            continue
        status = job.get("status", {})
        if any(one["type"] == "Complete" and one["status"] == "True" for one in status.get("conditions") or []):
            return True
        if (status.get("failed") or 0) >= _ATTEMPTS:
            return False
    return False


def _log(cluster: Cluster) -> str:
    pods = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    mine = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"].startswith(_JOB)]
    logs = (cluster.text(f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/log?container={_CONTAINER}") for name in mine)
    return "\n".join(logs)
