"""The part of GitHub's, GitLab's and Azure DevOps' APIs that comments on a change go by, on loopback."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-job-canary"

#: Addresses of a change's comments and of one of them, by service, and the verb that changes one.
PATHS = {
    "github": (r"/repos/o/r/issues/7/comments", r"/repos/o/r/issues/comments/(\d+)", "PATCH"),
    "gitlab": (r"/projects/42/merge_requests/7/notes", r"/projects/42/merge_requests/7/notes/(\d+)", "PUT"),
    "azure": (
        r"/org/A%20project/_apis/git/repositories/id/pullRequests/7/threads",
        r"/org/A%20project/_apis/git/repositories/id/pullRequests/7/threads/\d+/comments/(\d+)",
        "PATCH",
    ),
}
HEADERS = {"github": "Authorization", "gitlab": "PRIVATE-TOKEN", "azure": "Authorization"}


@dataclass
class Service:
    """What the service holds.

    Attributes:
        kind: which service it is.
        url: its address.
        token: what it lets in.
        comments: texts by their numbers.
        page: how many it lists at once.
    """

    kind: str
    url: str = ""
    token: str = TOKEN
    comments: dict[int, str] = field(default_factory=dict)
    page: int = 2

    @property
    def bodies(self) -> list[str]:
        return list(self.comments.values())

    def answer(self, verb: str, target: str, header: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        collection, single, changing = PATHS[self.kind]
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if header.removeprefix("Bearer ") != self.token:
            return 401, {"message": "no"}, {}
        if self.kind == "azure" and "api-version" not in query:
            return 400, {}, {}
        if re.fullmatch(collection, path) and verb == "GET":
            return self._listed(path, int(query.get("page", ["1"])[0]))
        if re.fullmatch(collection, path) and verb == "POST":
            number = len(self.comments) + 1
            self.comments[number] = body["comments"][0]["content"] if self.kind == "azure" else body["body"]
            return 201, {"id": number}, {}
        found = re.fullmatch(single, path)
        if found and verb == changing and int(found[1]) in self.comments:
            self.comments[int(found[1])] = body["content" if self.kind == "azure" else "body"]
            return 200, {}, {}
        return 404, {}, {}

    def _listed(self, path: str, page: int) -> tuple[int, Any, dict[str, str]]:
        if self.kind == "azure":
            threads = [{"id": n, "comments": [{"id": n, "content": text}]} for n, text in self.comments.items()]
            return 200, {"value": threads}, {}
        rows = [{"id": number, "body": text} for number, text in self.comments.items()]
        start = (page - 1) * self.page
        more = len(rows) > start + self.page
        links = {"Link": f'<{self.url}{path}?page={page + 1}>; rel="next"'} if more else {}
        return 200, rows[start : start + self.page], links


@contextmanager
def serving(kind: str) -> Iterator[Service]:
    """A service of a kind, on loopback."""
    service = Service(kind)

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer, headers = service.answer(self.command, self.path, self.headers.get(HEADERS[kind], ""), body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = _do

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
