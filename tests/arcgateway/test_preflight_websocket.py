"""Whether the upgrade to a websocket is carried, and what counts as that."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from network_world import Network, network

from arcgateway import websocket
from arcgateway.answers import Answer
from arcgateway.preflight import Result, endpoint, run
from arcgateway.proxy import ProxySettings, ProxyUrl

RELAY = endpoint("azgnrelay-eastus-l1.servicebus.windows.net")


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as world:
        yield world


def accepting(head: bytes) -> bytes:
    found = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
    assert found and b"Upgrade: websocket" in head and head.startswith(b"GET /$hc/"), head
    proof = base64.b64encode(hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
    )


def probed(net: Network, site: int, **more: object) -> Result:
    proxy = ProxySettings(https=ProxyUrl.parse(f"http://127.0.0.1:{net.proxy(lambda *_: site)}"))
    root = net.genuine.cert_pem.bytes().decode()
    return run((RELAY,), proxy, [root], **{"timeout": 3, **more}).results[0]  # type: ignore[arg-type]


def test_the_published_lists_say_which_names_carry_websockets() -> None:
    assert RELAY.websocket and not endpoint("management.azure.com").websocket
    assert endpoint("*.servicebus.windows.net").websocket


def test_a_websocket_that_opens_is_carried(net: Network) -> None:
    found = probed(net, net.site(accepting))
    assert (found.verdict, found.cause) == ("pass", "ok")
    assert "websocket open, a ping answered" in found.evidence and "websocket" in found.hops


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_a_refusal_by_the_service_has_reached_it(net: Network, status: str) -> None:
    found = probed(net, net.site(lambda _: f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()))
    assert found.verdict == "pass" and f"reached it, which answered {status}" in found.evidence


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (b"HTTP/1.1 426 Upgrade Required\r\n\r\n", "426"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "400"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "200"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502"),
        (b"HTTP/1.1 403 Forbidden\r\nVia: 1.1 proxy (squid/6.1)\r\n\r\n", "via: 1.1 proxy"),
        (b"HTTP/1.1 404 Not Found\r\nServer: squid/6.1\r\n\r\n", "server: squid"),
        (b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: forged\r\n\r\n", "101"),
        (b"nothing of the kind\r\n\r\n", "nothing of the kind"),
        (None, "during the upgrade"),
    ],
    ids=["426", "400", "200", "502", "403-via", "404-squid", "forged", "not-http", "cut"],
)
def test_an_upgrade_that_somebody_on_the_way_strips_or_cuts_is_blocked(
    net: Network, answer: bytes | None, seen: str
) -> None:
    found = probed(net, net.site(lambda _: answer))
    assert (found.verdict, found.cause) == ("fail", "websocket-blocked")
    assert seen in found.evidence and "websocket" in found.mend


def test_a_websocket_that_is_cut_once_it_is_open_is_blocked(net: Network) -> None:
    found = probed(net, net.site(accepting, keep=False))
    assert found.cause == "websocket-blocked" and "once the websocket was open" in found.evidence


def test_silence_after_the_upgrade_is_blocked_within_its_time(net: Network) -> None:
    found = probed(net, net.site(lambda _: b""), timeout=0.6)
    assert found.cause == "websocket-blocked" and "to the upgrade" in found.evidence and found.milliseconds < 1500


def test_what_a_public_certificate_vouches_for_is_the_service_whatever_it_answers() -> None:
    assert websocket.proxy_marks(Answer(403, "", {"server": "Microsoft-HTTPAPI/2.0"})) == ""
    assert "x-squid-error" in websocket.proxy_marks(Answer(403, "", {"x-squid-error": "ERR_ACCESS_DENIED"}))
