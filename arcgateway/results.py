"""What a preflight says: a verdict and its cause, with evidence and a mend, on each endpoint and on what is common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from arcgateway.endpoints import covers, host_name

Verdict = Literal["pass", "warn", "fail"]

#: What to do about each cause.
MENDS: Mapping[str, str] = {
    "ok": "",
    "name-not-resolved": "check the name; where it is right, let the proxy (or this machine) resolve it",
    "proxy-unreachable": "check the proxy's host and port, and that nothing on the way to it blocks them",
    "proxy-auth-required": "put a user and password that the proxy accepts into its URL, percent-encoded; Arc knows "
    "Basic authentication alone",
    "proxy-certificate-invalid": "give the root of the proxy's own certificate (--proxy-cert), or use its http:// port",
    "proxy-speaks-no-tls": "write the proxy's URL with http://: this port speaks no TLS",
    "proxy-speaks-tls": "write the proxy's URL with https://: this port speaks TLS",
    "not-http": "check the proxy's port: what answers there is no HTTP proxy",
    "proxy-refused": "have the proxy allow CONNECT to this name and port",
    "denied-by-proxy": "have the proxy allow CONNECT to this name and port",
    "unreachable": "it could not be reached from there: check the firewall (behind the proxy, where there is one)",
    "timed-out": "something on the way drops it silently: check the firewall, or give a longer --timeout",
    "connection-reset": "something on the way cuts the connection: check inspection and filters of proxy and firewall",
    "tls-failed": "something on the way speaks no proper TLS: exempt this name from inspection",
    "tls-intercepted": "exempt this name from TLS inspection; that this machine trusts the signer does not help",
    "certificate-invalid": "check the clock here and the certificate: its chain is known, but not its date or its name",
    "gateway-refused": "exempt the gateway's name from inspection: a CONNECT must pass inside its TLS",
    "websocket-blocked": "have the proxy and firewall let websockets (Upgrade, and connections that stay) pass to this "
    "name; exempt it from TLS inspection",
    "idle-cut": "let quiet tunnels stay open for longer on the proxy and the firewall: the agents' websockets do",
    "clock-skew": "set this machine's clock (NTP): tokens fail when it is more than 5 minutes off",
    "skip-range": "write the skip range so that all clients read it alike",
    "root-outdated": "replace the certificate: no client takes it for a root",
}

#: Causes that let a change go on all the same.
_WARNINGS = frozenset({"idle-cut", "clock-skew", "root-outdated", "skip-range"})

#: What an exception makes of a failure.
_EXCEPTED: Mapping[str, Verdict] = {"warn": "warn", "ignore": "pass"}


def verdict_on(cause: str) -> Verdict:
    """The verdict that a cause leads to by itself."""
    return "pass" if cause == "ok" else "warn" if cause in _WARNINGS else "fail"


@dataclass(frozen=True)
class Exemption:
    """An exception: an endpoint whose failure counts for less, as somebody has decided.

    Attributes:
        host: a name, or a pattern with a leading `*.`.
        counts: `warn`, or `ignore` where it is not to be told as a warning either.
        reason: why, in the words of whoever decided.
    """

    host: str
    counts: Literal["warn", "ignore"]
    reason: str


def exemptions(given: object) -> tuple[Exemption, ...]:
    """Exceptions as settings have them: by host, each with `counts` and `reason`.

    Raises:
        ValueError: they are no such map; the message names the host and says what is valid.
    """
    if not isinstance(given, Mapping):
        raise ValueError("has to be a map of hosts, each with counts and reason")
    return tuple(_exemption(str(host), one) for host, one in given.items())


def _exemption(host: str, given: object) -> Exemption:
    where = f"the exception for {host!r}"
    host_name(host.removeprefix("*."))
    if not isinstance(given, Mapping) or not {"reason"} <= set(given) <= {"counts", "reason"}:
        raise ValueError(f"{where} has to be a map of counts (warn or ignore) and reason, and of nothing else")
    counts, reason = given.get("counts", "warn"), given["reason"]
    if counts not in _EXCEPTED:
        raise ValueError(f"{where} counts {counts!r}: give {' or '.join(_EXCEPTED)}")
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError(f"{where} has no reason: give one, for whoever reads it later")
    return Exemption(host.lower(), counts, reason.strip())


@dataclass(frozen=True)
class Result:
    """What a probe of one endpoint found.

    Attributes:
        host: the name or pattern as listed.
        port: TCP port.
        verdict: `pass`, `warn` or `fail`.
        cause: `ok`, or one of the keys of `MENDS`.
        evidence: what was seen.
        mend: what to do; empty where nothing is to be done.
        milliseconds: how long the probe took.
        probed: the name that was asked for; another than `host` for patterns.
        genuine_root: whether a root of the customer's own, and no public one, vouched for it.
        hops: milliseconds of each hop, by the names of `hops.Hop`.
        certificate: subject, issuer and fingerprint of the leaf, where that is what the trouble is about.
        exception: why its failure counts for less, where it does.
        direct: whether it was reached without a proxy.
    """

    host: str
    port: int
    verdict: Verdict
    cause: str
    evidence: str
    mend: str
    milliseconds: int
    probed: str
    genuine_root: bool = False
    hops: Mapping[str, float] = field(default_factory=dict)
    certificate: Mapping[str, str] | None = None
    exception: str | None = None
    direct: bool = False

    def as_json(self) -> dict[str, Any]:
        """As in the command's JSON."""
        return {
            "host": self.host,
            "port": self.port,
            "verdict": self.verdict,
            "cause": self.cause,
            "evidence": self.evidence,
            "mend": self.mend,
            "milliseconds": self.milliseconds,
            "probed": self.probed,
            "direct": self.direct,
            "genuineRoot": self.genuine_root,
            "hops": dict(self.hops),
            "certificate": dict(self.certificate) if self.certificate else None,
            "exception": self.exception,
        }


@dataclass(frozen=True)
class Finding:
    """What was found besides, that is about no single endpoint.

    Attributes:
        subject: what it is about: `clock`, `proxy for http`, `skip range`, `certificates`.
        verdict: `pass` for what is only told.
        cause: one of the keys of `MENDS`.
        evidence: what was seen.
        mend: what to do; empty where nothing is to be done.
    """

    subject: str
    verdict: Verdict
    cause: str
    evidence: str
    mend: str

    def as_json(self) -> dict[str, Any]:
        """As in the command's JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Report:
    """The verdict on all endpoints.

    Attributes:
        proxy: the proxy's URL without credentials, None for direct connections.
        results: one for each endpoint, in their order.
        findings: what is about no single endpoint.
    """

    proxy: str | None
    results: tuple[Result, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        found = {result.verdict for result in self.results} | {finding.verdict for finding in self.findings}
        return "fail" if "fail" in found else "warn" if "warn" in found else "pass"

    def as_json(self) -> dict[str, Any]:
        """As `arcgateway preflight --json` prints it."""
        return {
            "verdict": self.verdict,
            "proxy": self.proxy,
            "endpoints": [result.as_json() for result in self.results],
            "findings": [finding.as_json() for finding in self.findings],
        }

    def told(self) -> list[tuple[list[str], str, str, str]]:
        """What a person is told besides the table: names, what was seen, mend, and why it does not count where it does
        not. What is the same for many endpoints comes once."""
        alike: dict[tuple[str, str, str], tuple[list[str], str, str, str]] = {}

        def add(name: str, sign: str, seen: str, mend: str, why: str = "") -> None:
            alike.setdefault((sign, mend, why), ([], seen, mend, why))[0].append(name)

        for one in self.results:
            if one.cause != "ok":
                # An interceptor makes each name a certificate of its own: what they have in common is who signed.
                intercepted = one.cause == "tls-intercepted" and one.certificate
                sign = intercepted["issuer"] if intercepted else one.evidence
                add(f"{one.host}:{one.port} {one.cause}", sign, one.evidence, one.mend, one.exception or "")
        for finding in self.findings:
            add(finding.subject, finding.evidence, finding.evidence, finding.mend)
        return list(alike.values())

    def excepting(self, exceptions: tuple[Exemption, ...]) -> Report:
        """The same, with failures that are excepted counting for less. What was seen stays as it is."""

        def judged(result: Result) -> Result:
            if result.verdict == "pass":
                return result
            for one in exceptions:
                if covers(one.host, result.host) or covers(one.host, result.probed):
                    return replace(result, verdict=_EXCEPTED[one.counts], exception=one.reason)
            return result

        return replace(self, results=tuple(map(judged, self.results)))
