"""A real squid on loopback with rules under test, whose one way out is a parent that says yes to every CONNECT."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox import proxies

FOUND = proxies.find_squid()

CONFIGURATION = """\
http_port 127.0.0.1:{port}
visible_hostname squid.test
{user}
cache_peer 127.0.0.1 parent {parent} 0 no-query no-digest default
never_direct allow all
{rules}
access_log none
cache_log cache.log
cache_store_log none
pid_filename none
coredump_dir none
cache deny all
cache_mem 0
memory_pools off
memory_cache_shared off
max_filedescriptors 1024
shutdown_lifetime 0 seconds
dns_nameservers 127.0.0.1
hosts_file none
pinger_enable off
unlinkd_program {no_helper}
mime_table mime.conf
icon_directory .
{errors}
"""


class _Yes(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(5)
        with contextlib.suppress(OSError):
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")


class _Parent(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Squid:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self.port = port

    def status(self, host: str, port: int = 443) -> int:
        """What it answers to a CONNECT."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            return int(connection.recv(64).split()[1])

    def allows(self, host: str, port: int = 443) -> bool:
        found = self.status(host, port)
        assert found in (200, 403), f"{host}:{port}: {found}"
        return found == 200


def write(folder: Path, rules: str, port: int = 3128, parent: int = 3129) -> Path:
    """A whole configuration around some rules, in a folder that squid's user can use."""
    assert FOUND is not None
    user = proxies._unprivileged_user()
    templates = proxies._error_templates(FOUND.program)
    if templates is not None:
        shutil.copytree(templates, folder / "errors", dirs_exist_ok=True, copy_function=shutil.copyfile)
    (folder / "mime.conf").write_text("")
    path = folder / "squid.conf"
    path.write_text(
        CONFIGURATION.format(
            port=port,
            parent=parent,
            rules=rules,
            user=f"cache_effective_user {user.pw_name}" if user else "",
            no_helper=shutil.which("true"),
            errors="error_directory errors" if templates else "",
        )
    )
    if user is not None:
        for entry in (folder, *folder.rglob("*")):
            os.chown(entry, user.pw_uid, user.pw_gid)
    return path


def parse(folder: Path, rules: str) -> str:
    """What `squid -k parse` says of some rules, its complaints alone."""
    assert FOUND is not None
    path = write(folder, rules)
    done = subprocess.run(
        [FOUND.program, "-k", "parse", "-f", path.name],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if any(word in line for word in ("WARNING", "ERROR", "FATAL"))]
    assert done.returncode == 0 or said, done.stderr
    return "\n".join(said)


@contextlib.contextmanager
def running(folder: Path, rules: str) -> Iterator[Squid]:
    """A squid with these rules."""
    assert FOUND is not None
    with _Parent(("127.0.0.1", 0), _Yes) as parent:
        threading.Thread(target=parent.serve_forever, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        path = write(folder, rules, port, parent.server_address[1])
        process = subprocess.Popen(
            [FOUND.program, "-N", "-f", path.name, "-n", f"t{os.getpid()}p{port}"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(port, process)
            yield Squid(port)
        finally:
            process.kill()
            process.wait(10)
            parent.shutdown()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, "squid ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("squid does not listen")
