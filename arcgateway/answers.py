"""What is answered to a request on the way, and what trouble it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from arcgateway.proxy import ProxyUrl
from arcgateway.trust import Certificate


class Trouble(Exception):
    """A hop failed.

    Attributes:
        cause: its name in the results, for example `denied-by-proxy`.
        evidence: what was seen.
        answered: whether the other side spoke the protocol that was expected of it, or another plain one.
        mend: what to do, where that is not what the cause alone says.
        certificate: the leaf that was presented, where that is what the trouble is about.
    """

    def __init__(
        self,
        cause: str,
        evidence: str,
        *,
        answered: bool = True,
        mend: str = "",
        certificate: Certificate | None = None,
    ) -> None:
        super().__init__(f"{cause}: {evidence}")
        self.cause = cause
        self.evidence = evidence
        self.answered = answered
        self.mend = mend
        self.certificate = certificate


@dataclass(frozen=True)
class Answer:
    """The head of an HTTP answer; header names in lower case, values of one name joined by commas."""

    status: int
    reason: str
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".strip()


def parsed(head: bytes) -> Answer:
    """The head of an answer.

    Raises:
        Trouble: `not-http`.
    """
    lines = head.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    status, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/") or not status.isdigit():
        raise Trouble("not-http", f"answered {lines[0][:80]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = name.strip().lower()
        if colon:
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Answer(int(status), reason.strip()[:120], headers)


#: Causes of what a proxy answers to CONNECT; others are `proxy-refused`.
_CAUSES: Mapping[int, str] = {
    401: "denied-by-proxy",
    403: "denied-by-proxy",
    407: "proxy-auth-required",
    451: "denied-by-proxy",
    500: "unreachable",
    502: "unreachable",
    503: "unreachable",
    504: "timed-out",
}


#: Its own errors by which squid says more than by the status.
_SQUID_CAUSES: Mapping[str, str] = {"ERR_DNS_FAIL": "name-not-resolved", "ERR_SECURE_CONNECT_FAIL": "tls-failed"}

#: squid 5's answer to a CONNECT for a name that does not resolve; a parent that is down is a 503.
_NO_WAY = (500, "ERR_CANNOT_FORWARD")

#: Products that name themselves as the server in the pages that they answer with themselves.
_PROXY_SERVERS = ("squid", "mitmproxy", "bluecoat", "zscaler", "fortigate")


def made_by_proxy(answer: Answer) -> bool:
    """Whether a proxy has made an answer itself, and not passed on an endpoint's."""
    server = answer.headers.get("server", "").lower()
    own = "x-squid-error" in answer.headers or "proxy-authenticate" in answer.headers
    return own or any(name in server for name in _PROXY_SERVERS)


def refusal(answer: Answer, proxy: ProxyUrl) -> Trouble:
    """What a proxy's answer means that is no success."""
    cause = _CAUSES.get(answer.status, "proxy-refused")
    squid = answer.headers.get("x-squid-error", "").partition(" ")[0]
    details = [f"the proxy answered {answer}"]
    if cause in ("unreachable", "timed-out") and squid in _SQUID_CAUSES:
        cause = _SQUID_CAUSES[squid]
    elif (answer.status, squid) == _NO_WAY:
        cause = "name-not-resolved"
        details.append("squid knows no way there: the name does not resolve, or no parent proxy takes it")
    for name in ("proxy-authenticate", "x-squid-error", "location", "server", "via"):
        if name in answer.headers:
            details.append(f"{name}: {answer.headers[name][:120]}")
    mend = ""
    if cause == "proxy-auth-required":
        if proxy.username is not None:
            details.append("to the user and password in its URL")
        offered = answer.headers.get("proxy-authenticate", "").lower()
        if offered and "basic" not in offered:
            mend = "have the proxy offer Basic authentication, or let the cluster pass by address: Arc knows no other"
        elif proxy.username is not None:
            mend = "mend the user and password in the proxy's URL (percent-encoded), which the proxy does not take"
    elif answer.status in (405, 501):
        mend = "give a proxy that takes CONNECT: this one is for http:// addresses alone"
    return Trouble(cause, "; ".join(details), mend=mend)
