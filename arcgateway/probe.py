"""The probe of one endpoint, hop by hop, as the agents would go."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, partial

from arcgateway import websocket
from arcgateway.answers import Answer, Trouble, made_by_proxy, refusal
from arcgateway.endpoints import Endpoint
from arcgateway.hops import STAGES, Hop, Hops
from arcgateway.interception import Look, Signers, refused_certificate
from arcgateway.proxy import ProxySettings, ProxyUrl
from arcgateway.redaction import Redactor
from arcgateway.resolver import Resolver
from arcgateway.results import MENDS, Finding, Result, verdict_on
from arcgateway.trust import Roots, describe, presented_chain, readable_name, unknown_root, verified_chain, wrong_date
from arcgateway.tunnel import GRACE, Tunnel

#: What is asked for inside the gateway's tunnel: the name that every agent asks for.
INNER_HOST = "management.azure.com"

#: Seconds by which a clock may be off before tokens fail.
SKEW = 300.0

#: What silence in a hop means, through a proxy or not, and the mend; elsewhere it is `timed-out`.
_SILENCES: Mapping[tuple[Hop, bool], tuple[str, str]] = {
    ("resolve", True): ("proxy-unreachable", ""),
    ("connect", True): ("proxy-unreachable", ""),
    ("proxyTls", True): ("timed-out", "check that the proxy's port speaks TLS; else write its URL with http://"),
    ("resolve", False): ("name-not-resolved", ""),
    ("websocket", True): ("websocket-blocked", ""),
    ("websocket", False): ("websocket-blocked", ""),
}


@dataclass(frozen=True)
class _Seen:
    evidence: str
    genuine_root: bool


Refused = Callable[[ssl.SSLCertVerificationError], Awaitable[_Seen]]


@dataclass(frozen=True)
class Way:
    """How the endpoints are reached and judged.

    Attributes:
        proxy: through which proxy each goes.
        trusted: the roots that count.
        genuine: PEM texts of those among them that are the customer's own.
        proxy_tls: for the TLS of the proxy itself.
        timeout: seconds for each endpoint.
        idle: seconds of silence that a connection has to outlast; 0 for no look at that.
        now: the clock here, in seconds since 1970.
    """

    proxy: ProxySettings
    trusted: Roots
    genuine: tuple[str, ...]
    proxy_tls: ssl.SSLContext
    timeout: float
    idle: float
    now: Callable[[], float]

    @cached_property
    def signers(self) -> Signers:
        """Who may have signed a chain that is not trusted; looked up when there is one."""
        return Signers.known(self.proxy.certificate, self.genuine)


class Probe:
    """Probes endpoints, one at a time or many side by side.

    Attributes:
        offsets: seconds that the clocks of endpoints are ahead of the one here, by the endpoint's name.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._resolver = Resolver()
        self.offsets: dict[str, float] = {}
        secrets = [
            part
            for url in (way.proxy.https, way.proxy.http)
            if url is not None
            for part in (url.password, (url.authorization or "").removeprefix("Basic "))
        ]
        self._redact = Redactor(secrets)

    async def judge(self, item: Endpoint, *, clock: bool = False) -> Result:
        """Probe one endpoint within its time; `clock` asks it for the time besides."""
        hops, trouble = Hops(), None
        seen = _Seen("", False)
        try:
            async with asyncio.timeout(self._way.timeout) as limit:
                seen = await self._through(item, hops, limit, clock)
        except Trouble as caught:
            trouble = caught
        except TimeoutError:
            trouble = self._silent(hops, proxied=self._route(item) is not None)
        cause = trouble.cause if trouble else "ok"
        evidence = trouble.evidence if trouble else seen.evidence
        verdict = verdict_on(cause)
        if item.probe != item.host and cause == "name-not-resolved":
            # The proxy let the pattern pass; that a name which stands for it is unknown proves nothing against it.
            verdict, evidence = "warn", f"{item.probe}, which stands for {item.host}, does not resolve; {evidence}"
        elif item.made_up and cause == "unreachable":
            # Many proxies answer for a name that does not resolve as for a host that does not answer.
            verdict, evidence = "warn", f"{item.probe} is made up for {item.host}, and need not exist; {evidence}"
        return Result(
            host=item.host,
            port=item.port,
            verdict=verdict,
            cause=cause,
            evidence=self._redact(evidence),
            mend=trouble.mend or MENDS[cause] if trouble else "",
            milliseconds=hops.elapsed(),
            probed=item.probe,
            genuine_root=seen.genuine_root,
            hops=hops.milliseconds,
            certificate=trouble.certificate.names() if trouble and trouble.certificate else None,
            direct=self._route(item) is None,
        )

    async def http_proxy(self, proxy: ProxyUrl) -> Finding:
        """Look at a proxy for http addresses: whether it is one, and takes us."""
        hops, trouble, answered = Hops(), None, ""
        try:
            async with asyncio.timeout(self._way.timeout):
                answered = await self._http_answer(proxy, hops)
        except Trouble as caught:
            trouble = caught
        except TimeoutError:
            trouble = self._silent(hops, proxied=True)
        cause = trouble.cause if trouble else "ok"
        return Finding(
            subject="proxy for http",
            verdict=verdict_on(cause),
            cause=cause,
            evidence=self._redact(f"{proxy.redacted()}: {trouble.evidence if trouble else answered}"),
            mend=trouble.mend or MENDS[cause] if trouble else "",
        )

    async def _http_answer(self, proxy: ProxyUrl, hops: Hops) -> str:
        request = f"GET http://{INNER_HOST}/ HTTP/1.1\r\nHost: {INNER_HOST}\r\nConnection: close\r\n"
        if proxy.authorization:
            request += f"Proxy-Authorization: {proxy.authorization}\r\n"
        tunnel = await Tunnel.to_proxy(proxy, self._way.proxy_tls, self._resolver, hops)
        try:
            with hops.timed("tunnel"):
                answer = await tunnel.ask(request.encode() + b"\r\n", "an http request")
        except Trouble as trouble:
            await tunnel.wrong_way(proxy, trouble, self._resolver)
            raise
        finally:
            tunnel.close()
        if answer.status in (400, 407):
            refused = refusal(answer, proxy)
            await tunnel.wrong_way(proxy, refused, self._resolver)
            if answer.status == 407:
                raise refused
        # What it allows of http addresses is not asked for: the agents need none.
        return f"answers {answer}"

    def _silent(self, hops: Hops, *, proxied: bool) -> Trouble:
        cause, mend = _SILENCES.get((hops.at, proxied), ("timed-out", ""))
        return Trouble(cause, f"no answer within {self._way.timeout:g} s, {STAGES[hops.at]}", mend=mend)

    def _route(self, item: Endpoint) -> ProxyUrl | None:
        return self._way.proxy.route(item.probe, item.port)

    def _own(self, item: Endpoint) -> bool:
        """Whether it goes round the proxy and is none of Azure's: then its root may be a private one."""
        return bool(self._way.proxy) and self._route(item) is None and not item.source

    async def _open(self, item: Endpoint, hops: Hops) -> Tunnel:
        proxy = self._route(item)
        if proxy is None:
            return await Tunnel.direct(item.probe, item.port, self._resolver, hops)
        return await Tunnel.through(proxy, item.probe, item.port, self._way.proxy_tls, self._resolver, hops)

    async def _through(self, item: Endpoint, hops: Hops, limit: asyncio.Timeout, clock: bool) -> _Seen:
        tunnel = await self._open(item, hops)
        try:
            try:
                seen = await self._handshake(tunnel, item.probe, "tls", hops, partial(self._refused, item, tunnel))
            except Trouble as trouble:
                if trouble.cause == "tls-failed" and self._own(item):
                    return _Seen("direct; it can be reached, and speaks no TLS", False)
                raise
            if item.gateway:
                seen = await self._inside(tunnel, item, seen, hops)
            elif item.websocket:
                seen = await self._websocket(tunnel, item, seen, hops)
            # The endpoint is open; what is asked besides has limits of its own.
            limit.reschedule(None)
            if self._way.idle:
                await self._silence(tunnel, item, hops)
            elif (clock or seen.genuine_root) and not (item.gateway or item.websocket):
                await self._answer_of(tunnel, item, seen)
            return seen
        finally:
            tunnel.close()

    async def _handshake(self, tunnel: Tunnel, host: str, hop: Hop, hops: Hops, refused: Refused) -> _Seen:
        try:
            with hops.timed(hop):
                connection = await tunnel.start_tls(host, self._way.trusted.context)
        except ssl.SSLCertVerificationError as error:
            return await refused(error)
        roots = self._way.trusted
        genuine = roots.vouched(verified_chain(connection)) if roots.genuine else False
        name = readable_name((connection.getpeercert() or {}).get("issuer", ()))
        counted = " (a genuine root counted)" if genuine else ""
        return _Seen(f"{connection.version()}, issuer {name}{counted}", genuine)

    async def _refused(self, item: Endpoint, first: Tunnel, error: ssl.SSLCertVerificationError) -> _Seen:
        """Look a second time at what a refused handshake did not show, and say what to make of it."""
        look = Look(proxy_chain=first.proxy_chain)
        with contextlib.suppress(Trouble):
            tunnel = await self._open(item, Hops())
            try:
                connection = await tunnel.start_tls(item.probe, self._way.signers.context)
                date = _date_of(await _asked(tunnel, item)) if wrong_date(error) else None
                look = replace(look, chain=presented_chain(connection), built=verified_chain(connection), date=date)
            finally:
                tunnel.close()
        if self._own(item) and unknown_root(error) and look.chain:
            return _Seen(f"direct; {describe(look.chain[0])}: in the skip range, under a root of its own", False)
        here = datetime.fromtimestamp(self._way.now(), UTC)
        raise refused_certificate(item.probe, error, look, self._way.signers, here)

    async def _inside(self, tunnel: Tunnel, item: Endpoint, outer: _Seen, hops: Hops) -> _Seen:
        try:
            with hops.timed("innerTunnel"):
                answer = await tunnel.connect(INNER_HOST, 443)
        except Trouble as trouble:
            raise Trouble("gateway-refused", f"a CONNECT inside the TLS to {item.probe}: {trouble.evidence}") from None
        marks = websocket.proxy_marks(answer) if outer.genuine_root else ""
        if 400 <= answer.status < 500 and not marks:
            # Its TLS is unbroken and it has read the CONNECT; that it serves associated clusters only is its right.
            return replace(outer, evidence=f"{outer.evidence}; answered {answer} to a CONNECT from here")
        if not 200 <= answer.status < 300:
            by = f" ({marks})" if marks else ""
            raise Trouble("gateway-refused", f"{item.probe} answered {answer} to a CONNECT inside its TLS{by}")

        async def refused(error: ssl.SSLCertVerificationError) -> _Seen:
            cause = "tls-intercepted" if unknown_root(error) else "certificate-invalid"
            raise Trouble(cause, f"{INNER_HOST} inside {item.probe}: {error.verify_message}") from None

        inner = await self._handshake(tunnel, INNER_HOST, "innerTls", hops, refused)
        return _Seen(
            f"{outer.evidence}; inside it a CONNECT and TLS to {INNER_HOST}", outer.genuine_root or inner.genuine_root
        )

    async def _websocket(self, tunnel: Tunnel, item: Endpoint, seen: _Seen, hops: Hops) -> _Seen:
        with hops.timed("websocket"):
            words, answer = await websocket.carried(tunnel, _authority(item), public=not seen.genuine_root)
        self._note_time(item.probe, answer)
        return replace(seen, evidence=f"{seen.evidence}; {words}")

    async def _silence(self, tunnel: Tunnel, item: Endpoint, hops: Hops) -> None:
        """Say nothing for a while, then something. An end with TLS's farewell is the endpoint's own, and its right."""
        started = time.monotonic()
        with hops.timed("idle"):
            try:
                async with asyncio.timeout(self._way.idle):
                    while await tunnel.read():
                        pass
                return
            except TimeoutError:
                pass
            except (OSError, ssl.SSLError) as error:
                after = time.monotonic() - started
                raise Trouble("idle-cut", f"cut ({type(error).__name__}) after {after:.1f} s of silence") from None
            if item.gateway or item.websocket:
                return
            try:
                async with asyncio.timeout(max(GRACE, 2.0)):
                    self._note_time(item.probe, await tunnel.ask(_head(item), "a request"))
            except TimeoutError:
                raise Trouble("idle-cut", f"dead after {self._way.idle:g} s of silence: no answer any more") from None
            except Trouble as trouble:
                raise Trouble("idle-cut", f"after {self._way.idle:g} s of silence: {trouble.evidence}") from None

    async def _answer_of(self, tunnel: Tunnel, item: Endpoint, seen: _Seen) -> None:
        """Ask for the time. A proxy that has opened the TLS, with a root that is vouched for, refuses in it."""
        before = self._way.now()
        answer = await _asked(tunnel, item)
        if answer is None:
            return
        proxy = self._route(item)
        if seen.genuine_root and proxy is not None and answer.status >= 400 and made_by_proxy(answer):
            trouble = refusal(answer, proxy)
            raise Trouble(trouble.cause, f"inside the TLS to {item.probe} {trouble.evidence}", mend=trouble.mend)
        date = _date_of(answer)
        if date is not None:
            self.offsets[item.probe] = date.timestamp() - (before + self._way.now()) / 2

    def _note_time(self, host: str, answer: Answer) -> None:
        date = _date_of(answer)
        if date is not None:
            self.offsets[host] = date.timestamp() - self._way.now()


async def _asked(tunnel: Tunnel, item: Endpoint) -> Answer | None:
    """What an endpoint answers to a request; None where it does not at once."""
    try:
        async with asyncio.timeout(GRACE):
            return await tunnel.ask(_head(item), "a request")
    except (Trouble, TimeoutError):
        return None


def _authority(item: Endpoint) -> str:
    return item.probe if item.port == 443 else f"{item.probe}:{item.port}"


def _head(item: Endpoint) -> bytes:
    return f"HEAD / HTTP/1.1\r\nHost: {_authority(item)}\r\nUser-Agent: arc-gateway-preflight\r\n\r\n".encode()


def _date_of(answer: Answer | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(answer.headers.get("date", "") if answer else "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
