"""The preflight of an update: seen to before the first write, made once, and told in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure

if TYPE_CHECKING:
    from arcgateway.endpoints import Endpoint
    from arcgateway.results import Finding, Report, Result


def prove(
    settings: DriverSettings,
    progress: Callable[[str], None],
    *,
    whole: bool = True,
    place: str = "",
    probe: Callable[[Sequence[Endpoint]], Report] | None = None,
) -> dict[str, Any]:
    """See to a verdict on the network that is fresh in this update.

    Args:
        settings: through which proxies, for which region, scenarios and gateway.
        progress: takes one line at a time.
        whole: with no gateway in the settings, probe all that a cluster without one needs; else only what clusters
            need with and without one, as a proxy is proved before it is known which it will serve.
        place: where `probe` probes, in words.
        probe: probes the endpoints from another place than this machine; such a verdict is nobody else's.

    Returns:
        What `probe` prints.

    Raises:
        Failure: an endpoint is closed or TLS is intercepted, and the settings require it not to be.
    """
    shown = settings.proxy.https or settings.proxy.http
    summary = {"verdict": "off", "proxy": shown.redacted() if shown else None, "endpoints": 0}
    if settings.preflight == "off":
        return summary
    from arcgateway import endpoints, verdicts

    if not settings.location:
        raise Failure("ARC_LOCATION is not set, and the endpoints depend on it", "give the cluster or proxy a location")
    if whole or settings.gateway_endpoint:
        rows = endpoints.required(settings.gateway_endpoint, settings.location, settings.scenarios)
    else:
        rows = endpoints.common(settings.location, settings.scenarios)
    if probe is not None:
        report, fresh = probe(rows), True
    else:

        def run() -> Report:
            from arcgateway import preflight  # what it imports costs more than a verdict that others have made

            return preflight.run(rows, settings.proxy, settings.genuine_roots)

        report, fresh = verdicts.shared(rows, settings.proxy, settings.genuine_roots, run)
    report = report.excepting(settings.exceptions)
    way = (f"through {report.proxy}" if report.proxy else "directly") + (f" from {place}" if place else "")
    for found in report.results if fresh else ():
        if found.cause != "ok":
            excepted = f" (excepted: {found.exception})" if found.exception else ""
            progress(f"preflight: {found.host}:{found.port} {found.cause}: {found.evidence}{excepted}")
    for finding in report.findings if fresh else ():
        if finding.cause != "ok":
            progress(f"preflight: {finding.subject}: {finding.evidence}; {finding.mend}")
    if any(found.genuine_root for found in report.results):
        progress("preflight: genuine roots of your own counted for some endpoints")
    progress(
        f"preflight {way}: {report.verdict} on {len(report.results)} endpoints"
        + ("" if fresh else " (probed earlier in this update)")
    )
    if report.verdict == "fail" and settings.preflight == "require":
        names, mend = _failures(report)
        raise Failure(f"preflight {way} failed before anything was changed: {names}", mend)
    return {**summary, "verdict": report.verdict, "endpoints": len(report.results)}


def _failures(report: Report) -> tuple[str, str]:
    """What has failed, in one line, and the mend of the first."""
    endpoints = [(f"{one.host}:{one.port}", one) for one in report.results if one.verdict == "fail"]
    findings = [(one.subject, one) for one in report.findings if one.verdict == "fail"]
    bad: list[tuple[str, Result | Finding]] = [*endpoints, *findings]
    return ", ".join(f"{name} ({one.cause})" for name, one in bad), bad[0][1].mend
