"""Probes each endpoint through the enterprise proxy, and says what is in the way.

Every hop is tried for real: the proxy, its answer to CONNECT, the TLS handshake and the chain presented in it, and for
the gateway's own name a CONNECT and a second TLS inside the first, as the Arc Proxy does it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from arcgateway.endpoints import Endpoint
from arcgateway.proxy import ProxySettings, ProxyUrl
from arcgateway.trust import Roots, describe, roots, unknown_root, unverified, verified_chain
from arcgateway.tunnel import Trouble, Tunnel

Verdict = Literal["pass", "warn", "fail"]

#: Each endpoint's own limit in seconds. Two rounds of `PARALLEL` silent endpoints end within 15 s.
TIMEOUT = 7.0
PARALLEL = 30

#: What is asked for inside the gateway's tunnel: the name that every agent asks for.
INNER_HOST = "management.azure.com"

MENDS = {
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
}


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
            "genuineRoot": self.genuine_root,
        }


@dataclass(frozen=True)
class Report:
    """The verdict on all endpoints.

    Attributes:
        proxy: the proxy's URL without credentials, None for direct connections.
        results: one for each endpoint, in their order.
    """

    proxy: str | None
    results: tuple[Result, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        found = {result.verdict for result in self.results}
        return "fail" if "fail" in found else "warn" if "warn" in found else "pass"

    def as_json(self) -> dict[str, Any]:
        """As `arcgateway preflight --json` prints it."""
        return {
            "verdict": self.verdict,
            "proxy": self.proxy,
            "endpoints": [result.as_json() for result in self.results],
        }


def endpoint(host: str, port: int = 443) -> Endpoint:
    """An endpoint of the caller's own, outside the published lists."""
    return Endpoint(
        host=host,
        port=port,
        protocol="https",
        purpose="given by name",
        scenario="always",
        edition="both",
        hop="agents",
        carried=False,
        source="",
        checked="",
        probe=host.replace("*.", "arcgateway-preflight.", 1),
        gateway=host.lower().endswith(".gw.arc.azure.com"),
    )


def run(
    endpoints: Sequence[Endpoint],
    proxy: ProxySettings,
    genuine_roots: Iterable[str] = (),
    *,
    timeout: float = TIMEOUT,
    parallel: int = PARALLEL,
    progress: Callable[[Result], None] | None = None,
) -> Report:
    """Probe all endpoints side by side.

    Args:
        endpoints: what to probe.
        proxy: through which proxy each goes; its certificate is trusted for the proxy's own TLS, and for nothing else.
        genuine_roots: PEM texts of roots that count as the endpoints' own besides the public ones.
        timeout: seconds for each endpoint.
        parallel: how many at a time.
        progress: told each result as it is there.

    Raises:
        ValueError: a certificate cannot be read.
    """
    trusted = roots(genuine_roots)
    proxy_tls = roots([proxy.certificate, *genuine_roots] if proxy.certificate else genuine_roots).context
    probe = _Probe(proxy, trusted, proxy_tls, timeout)

    async def all_of_them() -> list[Result]:
        # What asyncio reports besides our results is the same broken connections once more.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        gate = asyncio.Semaphore(parallel)

        async def one(item: Endpoint) -> Result:
            async with gate:
                result = await probe.judge(item)
            if progress is not None:
                progress(result)
            return result

        return await asyncio.gather(*map(one, endpoints))

    results = _common_issuer(asyncio.run(all_of_them()))
    shown = proxy.https or proxy.http
    return Report(shown.redacted() if shown else None, tuple(results))


@dataclass(frozen=True)
class _Seen:
    evidence: str
    genuine_root: bool


class _Probe:
    def __init__(self, proxy: ProxySettings, trusted: Roots, proxy_tls: ssl.SSLContext, timeout: float) -> None:
        self._proxy = proxy
        self._trusted = trusted
        self._proxy_tls = proxy_tls
        self._timeout = timeout

    async def judge(self, item: Endpoint) -> Result:
        started = time.monotonic()
        genuine, stage = False, ["before the tunnel was open"]
        try:
            async with asyncio.timeout(self._timeout):
                seen = await self._through(item, stage)
            cause, evidence, genuine = "ok", seen.evidence, seen.genuine_root
        except Trouble as trouble:
            cause, evidence = trouble.cause, trouble.evidence
        except TimeoutError:
            cause, evidence = "timed-out", f"no answer within {self._timeout:g} s, {stage[-1]}"
        verdict: Verdict = "pass" if cause == "ok" else "fail"
        if cause == "name-not-resolved" and item.probe != item.host:
            # The proxy let the pattern pass; that a name made up for it is unknown proves nothing against it.
            verdict, evidence = "warn", f"{item.probe}, which stands for {item.host}, does not resolve; {evidence}"
        return Result(
            host=item.host,
            port=item.port,
            verdict=verdict,
            cause=cause,
            evidence=evidence,
            mend=MENDS[cause],
            milliseconds=round((time.monotonic() - started) * 1000),
            probed=item.probe,
            genuine_root=genuine,
        )

    async def _through(self, item: Endpoint, stage: list[str]) -> _Seen:
        tunnel = await self._open(item)
        stage.append("in the TLS handshake")
        try:
            seen = await self._handshake(tunnel, item.probe, lambda: self._presented(item))
            if item.gateway:
                stage.append("in the CONNECT inside the gateway's TLS")
                return await self._inside(tunnel, item, seen)
            return seen
        finally:
            tunnel.close()

    async def _open(self, item: Endpoint) -> Tunnel:
        proxy: ProxyUrl | None = self._proxy.route(item.probe, item.port)
        if proxy is None:
            return await Tunnel.direct(item.probe, item.port)
        return await Tunnel.through(proxy, item.probe, item.port, self._proxy_tls)

    async def _handshake(self, tunnel: Tunnel, host: str, presented: Callable[[], Any]) -> _Seen:
        try:
            connection = await tunnel.start_tls(host, self._trusted.context)
        except ssl.SSLCertVerificationError as error:
            leaf = await presented()
            shown = f"; {describe(leaf)}" if leaf else ""
            cause = "tls-intercepted" if unknown_root(error) else "certificate-invalid"
            raise Trouble(cause, f"{host}: {error.verify_message}{shown}") from None
        genuine = self._trusted.vouched(verified_chain(connection)) if self._trusted.genuine else False
        issuer = (connection.getpeercert() or {}).get("issuer", ())
        name = ", ".join(f"{key}={value}" for part in issuer for key, value in part)  # type: ignore[str-unpack]
        counted = " (a genuine root counted)" if genuine else ""
        return _Seen(f"{connection.version()}, issuer {name}{counted}", genuine)

    async def _presented(self, item: Endpoint) -> bytes | None:
        """The certificate that was presented, from a second connection, as a refused handshake shows none."""
        try:
            tunnel = await self._open(item)
        except Trouble:
            return None
        try:
            return (await tunnel.start_tls(item.probe, unverified())).getpeercert(binary_form=True)
        except Trouble:
            return None
        finally:
            tunnel.close()

    async def _inside(self, tunnel: Tunnel, item: Endpoint, outer: _Seen) -> _Seen:
        try:
            answer = await tunnel.connect(INNER_HOST, 443)
        except Trouble as trouble:
            raise Trouble("gateway-refused", f"a CONNECT inside the TLS to {item.probe}: {trouble.evidence}") from None
        if 400 <= answer.status < 500:
            # Its TLS is unbroken and it has read the CONNECT; that it serves associated clusters only is its right.
            return replace(outer, evidence=f"{outer.evidence}; answered {answer} to a CONNECT from here")
        if not 200 <= answer.status < 300:
            raise Trouble("gateway-refused", f"{item.probe} answered {answer} to a CONNECT inside its TLS")

        async def nothing() -> None:
            return None

        inner = await self._handshake(tunnel, INNER_HOST, nothing)
        return _Seen(
            f"{outer.evidence}; inside it a CONNECT and TLS to {INNER_HOST}", outer.genuine_root or inner.genuine_root
        )


def _common_issuer(results: list[Result]) -> list[Result]:
    """Add to each interception how many unrelated names the same issuer signed, which no public authority does."""
    issuers = [
        result.evidence.partition("issuer ")[2].partition(", SHA-256")[0] if result.cause == "tls-intercepted" else ""
        for result in results
    ]
    return [
        replace(result, evidence=f"{result.evidence}; the same issuer signed {count} of {len(results)} names")
        if issuer and (count := issuers.count(issuer)) > 1
        else result
        for result, issuer in zip(results, issuers, strict=True)
    ]
