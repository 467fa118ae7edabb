"""Probes of containers: one look, in the way the pod asks for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from sandbox.node.settings import Json

#: Runs a command as the container would and gives its exit code.
Execute = Callable[[list[str]], Awaitable[int]]


async def look(probe: Json, container: Json, address: str, execute: Execute) -> str:
    """Probe once.

    Args:
        probe: as in the pod's specification.
        container: whose it is; ports may be meant by name.
        address: the pod's.
        execute: for `exec`.

    Returns:
        Empty when content, else what is wrong.
    """
    limit = probe.get("timeoutSeconds") or 1
    try:
        async with asyncio.timeout(limit):
            return await _look(probe, container, address, execute)
    except TimeoutError:
        return f"no answer within {limit} s"
    except (OSError, aiohttp.ClientError, ValueError) as error:
        return str(error) or type(error).__name__


async def _look(probe: Json, container: Json, address: str, execute: Execute) -> str:
    if "exec" in probe:
        code = await execute(probe["exec"]["command"])
        return "" if code == 0 else f"command ended with {code}"
    if "httpGet" in probe:
        wanted = probe["httpGet"]
        host, port = wanted.get("host") or address, _port(wanted["port"], container)
        url = f"{wanted.get('scheme', 'HTTP').lower()}://{host}:{port}/{wanted.get('path', '/').lstrip('/')}"
        headers = {header["name"]: header["value"] for header in wanted.get("httpHeaders", [])}
        return await _get(url, headers)
    wanted = probe.get("tcpSocket") or probe.get("grpc") or {}
    _, writer = await asyncio.open_connection(wanted.get("host") or address, _port(wanted["port"], container))
    writer.close()
    return ""


async def _get(url: str, headers: Mapping[str, str]) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # probes do not check certificates
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        return "" if 200 <= answer.status < 400 else f"HTTP probe failed with statuscode: {answer.status}"


def _port(wanted: int | str, container: Json) -> int:
    if isinstance(wanted, int) or wanted.isdigit():
        return int(wanted)
    ports = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    if wanted not in ports:
        raise ValueError(f"the container has no port named {wanted}")
    return int(ports[wanted])
