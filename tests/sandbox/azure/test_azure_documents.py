"""Documents that orjson cannot hold are kept and sent all the same."""

from __future__ import annotations

import socket
import ssl

from local_azure import GROUPS, LocalAzure


def test_what_is_kept_comes_back_as_it_was_put(azure: LocalAzure) -> None:
    identifier = f"{azure.group()}/providers/Contoso.Things/things/one"
    for properties in ({"small": 2**53 + 1, "large": 2**70, "text": "é😀"}, {"small": -(2**63), "float": 1.5e300}):
        made = azure.call("PUT", identifier, "2024-01-01", {"properties": properties})
        assert made.json()["properties"] == properties
        assert azure.call("GET", identifier, "2024-01-01").json()["properties"] == properties


def test_bytes_that_are_no_text_are_logged_as_they_came(azure: LocalAzure) -> None:
    group = azure.group()
    common = f"Host: localhost\r\nAuthorization: {azure.session.headers['Authorization']}\r\nConnection: close\r\n"

    def status(line: bytes, body: bytes = b"") -> int:
        head = line + b" HTTP/1.1\r\nx-ms-client-request-id: a\xff\r\n" + common.encode()
        context = ssl.create_default_context(cafile=azure.bundle)
        with socket.create_connection(("127.0.0.1", azure.port), timeout=5) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                return int(tls.recv(4096).split()[1])

    assert status(f"PUT {group}?api-version={GROUPS}".encode(), b'{"location": "eastus"}') == 200
    assert status(b"GET /subscriptions/\xff/resourceGroups?api-version=2022-09-01") == 400
    wanted = f"resourceGroupName eq '{group.rsplit('/', 1)[1]}'"
    log = f"{azure.subscription}/providers/microsoft.insights/eventtypes/management/values"
    events = azure.call("GET", log, "2015-04-01", params={"$filter": wanted}).json()["value"]
    assert events[0]["httpRequest"]["clientRequestId"] == "a\udcff"
    assert azure.call("GET", "/sandbox/requests").status_code == 200  # which hold that path
