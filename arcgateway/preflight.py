"""Probes each endpoint through the enterprise proxy, and says what is in the way.

Every hop is tried for real: the proxy, its answer to CONNECT, the TLS handshake and the chain presented in it, the
upgrade to a websocket where one is needed, and for the gateway's own name a CONNECT and a second TLS inside the first,
as the Arc Proxy does it.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from arcgateway.endpoints import MADE_UP, Endpoint, listed
from arcgateway.probe import SKEW, Probe, Way
from arcgateway.proxy import ProxySettings
from arcgateway.results import MENDS, Exemption, Finding, Report, Result, Verdict
from arcgateway.trust import outdated, roots

__all__ = ["MENDS", "PARALLEL", "TIMEOUT", "Exemption", "Finding", "Report", "Result", "Verdict", "endpoint", "run"]

#: Each endpoint's own limit in seconds.
TIMEOUT = 7.0
PARALLEL = 30
#: What all endpoints may take together where no limit is given: more than 60 get less than `TIMEOUT` each.
WHOLE = 14.0

#: How many endpoints are asked for the time where none of them issues tokens.
_CLOCKS = 3


def endpoint(host: str, port: int = 443) -> Endpoint:
    """An endpoint by its name alone; where the published lists have it, with the protocol that they say."""
    name = host.lower()
    protocol, source = listed(name) or ("https", "")
    return Endpoint(
        host=host,
        port=port,
        protocol=protocol,
        purpose="given by name",
        scenario="always",
        edition="both",
        hop="agents",
        carried=False,
        source=source,
        checked="",
        probe=host.replace("*.", MADE_UP, 1),
        gateway=name.endswith(".gw.arc.azure.com"),
    )


def run(
    endpoints: Sequence[Endpoint],
    proxy: ProxySettings,
    genuine_roots: Iterable[str] = (),
    *,
    timeout: float | None = None,
    parallel: int = PARALLEL,
    idle: float = 0,
    progress: Callable[[Result], None] | None = None,
    now: Callable[[], float] = time.time,
) -> Report:
    """Probe all endpoints side by side.

    Args:
        endpoints: what to probe.
        proxy: through which proxy each goes; its certificate is trusted for the proxy's own TLS, and for nothing else.
        genuine_roots: PEM texts of roots that count as the endpoints' own besides the public ones.
        timeout: seconds for each endpoint; by default `TIMEOUT`, or less where the whole would take over `WHOLE`.
        parallel: how many at a time.
        idle: seconds of silence that each connection has to outlast besides.
        progress: told each result as it is there.
        now: the clock here, in seconds since 1970.

    Raises:
        ValueError: a certificate cannot be read.
    """
    genuine = tuple(genuine_roots)
    way = Way(
        proxy=proxy,
        trusted=roots(genuine),
        genuine=genuine,
        proxy_tls=roots([proxy.certificate, *genuine] if proxy.certificate else genuine).context,
        timeout=timeout or min(TIMEOUT, WHOLE / max(1, math.ceil(len(endpoints) / parallel))),
        idle=idle,
        now=now,
    )
    probe = Probe(way)
    clocks = {id(item) for item in _clocks(endpoints)}
    findings = list(_outdated(proxy, genuine))

    async def all_of_them() -> list[Result]:
        # What asyncio reports besides our results is the same broken connections once more.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        gate = asyncio.Semaphore(parallel)

        async def one(item: Endpoint) -> Result:
            async with gate:
                result = await probe.judge(item, clock=id(item) in clocks)
            if progress is not None:
                progress(result)
            return result

        async def http() -> None:
            if proxy.http is not None and proxy.https is not None and proxy.http != proxy.https:
                findings.append(await probe.http_proxy(proxy.http))

        results, _ = await asyncio.gather(asyncio.gather(*map(one, endpoints)), http())
        return results

    results = _common_issuer(asyncio.run(all_of_them()))
    findings += _clock(probe.offsets)
    shown = proxy.https or proxy.http
    return Report(shown.redacted() if shown else None, tuple(results), tuple(findings))


def _clocks(endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
    """Whom to ask for the time: those who issue tokens, as it is their clock that counts; else a few others."""
    plain = [item for item in endpoints if not (item.gateway or item.websocket)]
    issuers = [item for item in plain if item.probe.startswith("login.") or ".login." in item.probe]
    return issuers or plain[:_CLOCKS]


def _outdated(proxy: ProxySettings, genuine: Iterable[str]) -> Iterator[Finding]:
    given = [("the proxy's certificate", proxy.certificate)] if proxy.certificate else []
    for what, text in [*given, *(("a genuine root", text) for text in genuine)]:
        for one in outdated(text):
            evidence = f"{what} is valid from {one.not_before:%Y-%m-%d} to {one.not_after:%Y-%m-%d}: {one}"
            yield Finding("certificates", "warn", "root-outdated", evidence, MENDS["root-outdated"])


def _clock(offsets: Mapping[str, float]) -> Iterator[Finding]:
    """What the endpoints' clocks say of the one here. Their median: one of them may be wrong too."""
    if not offsets:
        return
    offset = statistics.median(offsets.values())
    if abs(offset) > SKEW:
        way = "behind" if offset > 0 else "ahead of"
        evidence = f"the clock here is {abs(offset):.0f} s {way} that of {', '.join(sorted(offsets))}"
        yield Finding("clock", "warn", "clock-skew", evidence, MENDS["clock-skew"])


def _common_issuer(results: list[Result]) -> list[Result]:
    """Add to each interception how many unrelated names the same issuer signed, which no public authority does."""
    signed: dict[str, list[str]] = defaultdict(list)
    for result in results:
        if result.cause == "tls-intercepted" and result.certificate:
            signed[result.certificate["issuer"]].append(result.host)

    def told(result: Result) -> Result:
        issuer = result.certificate["issuer"] if result.certificate else ""
        names = signed.get(issuer, [])
        if result.cause != "tls-intercepted" or len(names) < 2:
            return result
        domains = sorted({".".join(name.split(".")[-2:]) for name in names})
        of = f", of the domains {', '.join(domains)}" if len(domains) > 1 else ""
        more = f"; the same issuer signed {len(names)} of {len(results)} names{of}"
        return replace(result, evidence=result.evidence + more)

    return list(map(told, results))
