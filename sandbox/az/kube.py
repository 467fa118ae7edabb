"""A Kubernetes API server as its kubeconfig describes it: plain HTTPS, without a proxy or a kubectl process."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from sandbox.az.errors import AzError

TIMEOUT = 30.0

Object = dict[str, Any]
Warn = Callable[[str], None]


class ApiError(AzError):
    """The API server answered with a failure, or not at all (status 0)."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        told = f"Error Response: {text}" if status else f"Error: {text}"
        super().__init__(f"Error occured while connecting to the kubernetes cluster: \n{told}")


class Kubeconfig:
    """One context of a kubeconfig.

    Args:
        path: the file; without it $KUBECONFIG (which may list several), else ~/.kube/config.
        context: its name; without it the current one.
        verify: False for `--skip-ssl-verification`.

    Raises:
        AzError: no such file or context, or something that this client can't use.
    """

    def __init__(self, path: str | None, context: str | None, verify: bool = True) -> None:
        # The real client trims quotes that some shells leave.
        named = path.strip("'\"") if path else os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
        self._files = [Path(one).expanduser() for one in ([named] if path else named.split(os.pathsep)) if one]
        self.path, self.context, self._verify = (named if path else None), context, verify
        merged = self._merge()
        name = context or merged["current-context"]
        chosen = merged["contexts"].get(name)
        if chosen is None:
            raise _broken(f"Invalid kube-config file. Expected object with name {name} in {named}/contexts list")
        self._cluster = merged["clusters"].get(chosen.get("cluster")) or {}
        self._user = merged["users"].get(chosen.get("user")) or {}
        if "server" not in self._cluster:
            raise _broken(
                f"Invalid kube-config file. Expected key server of cluster {chosen.get('cluster')} in {named}"
            )
        self.server = str(self._cluster["server"])

    def _merge(self) -> dict[str, Any]:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        merged: dict[str, Any] = {"contexts": {}, "clusters": {}, "users": {}, "current-context": ""}
        found = False
        for file in self._files:
            try:
                content = yaml.load(file.read_text(), Loader=loader) or {}  # noqa: S506 - a safe one
            except FileNotFoundError:
                continue
            except (OSError, ValueError, yaml.YAMLError) as problem:
                raise _broken(f"{file}: {problem}") from problem
            found = True
            merged["current-context"] = merged["current-context"] or content.get("current-context") or ""
            for kind, key in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
                for item in content.get(kind) or []:
                    # The first file that has a name wins; relative paths are relative to their file.
                    merged[kind].setdefault(item["name"], {**(item.get(key) or {}), "_folder": file.parent})
        if not found:
            raise _broken("Invalid kube-config file. No configuration found.")
        return merged

    def tls(self) -> ssl.SSLContext:
        """What the server's certificate is checked against, and the client's own certificate where it has one."""
        ca = self._content(self._cluster, "certificate-authority")
        context = ssl.create_default_context(cadata=ca or None)
        if not self._verify or self._cluster.get("insecure-skip-tls-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        certificate, key = self._content(self._user, "client-certificate"), self._content(self._user, "client-key")
        if certificate:
            # OpenSSL reads them from files alone; a temporary file is readable by its owner alone.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(f"{certificate}\n{key or ''}")
                file.flush()
                context.load_cert_chain(file.name)
        return context

    def headers(self) -> dict[str, str]:
        """How the user names itself to the server."""
        user = self._user
        if user.get("exec") or user.get("auth-provider"):
            raise _broken("This stand-in reads tokens, passwords and client certificates, no credential plugins.")
        token = user.get("token") or (
            Path(user["_folder"], user["tokenFile"]).read_text().strip() if user.get("tokenFile") else ""
        )
        if token:
            return {"Authorization": f"Bearer {token}"}
        if user.get("username"):
            both = f"{user['username']}:{user.get('password', '')}".encode()
            return {"Authorization": f"Basic {base64.b64encode(both).decode()}"}
        return {}

    def _content(self, item: Mapping[str, Any], name: str) -> str:
        if item.get(f"{name}-data"):
            return base64.b64decode(item[f"{name}-data"]).decode()
        if not item.get(name):
            return ""
        try:
            return Path(item["_folder"], item[name]).read_text()
        except OSError as problem:
            raise _broken(f"{name}: {problem}") from problem


class Cluster:
    """Calls to the API server."""

    def __init__(self, config: Kubeconfig) -> None:
        self._server = urlsplit(config.server)
        self._tls = config.tls() if self._server.scheme == "https" else None
        self._headers = config.headers()

    def get(self, path: str, **query: str) -> Any:
        """The object at a path."""
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    def find(self, path: str) -> Any:
        """The object at a path, or None."""
        try:
            return self.get(path)
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise

    def text(self, path: str) -> str:
        """Plain text at a path, such as a log."""
        with self._answer("GET", path, None) as answer:
            return answer.read().decode(errors="replace")

    def create(self, path: str, body: Object) -> Any:
        """A POST."""
        return self._call("POST", path, body)

    def replace(self, path: str, body: Object) -> Any:
        """A PUT."""
        return self._call("PUT", path, body)

    def put_or_create(self, collection: str, body: Object) -> None:
        """Make an object, or lay the body over the one that is there."""
        try:
            self._call("POST", collection, body)
        except ApiError as problem:
            if problem.status != 409:
                raise
            self._call("PATCH", f"{collection}/{body['metadata']['name']}", body, "application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Delete what is there; a namespace on its way out already answers 409."""
        try:
            self._call("DELETE", path)
        except ApiError as problem:
            if problem.status not in (404, 409):
                raise

    def watch(self, path: str, seconds: int) -> Iterator[Object]:
        """The objects of a list as they are and as they change, for some seconds."""
        with self._answer("GET", f"{path}?watch=true&timeoutSeconds={seconds}", None, seconds + TIMEOUT) as answer:
            for line in answer:
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    yield event["object"]

    def _call(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Any:
        with self._answer(method, path, body, kind=kind) as answer:
            return json.loads(answer.read() or b"null")

    def _answer(
        self, method: str, path: str, body: Object | None, timeout: float = TIMEOUT, kind: str = "application/json"
    ) -> http.client.HTTPResponse:
        host, port = self._server.hostname or "", self._server.port
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        headers = {"Accept": "application/json, */*", "Content-Type": kind, "Connection": "close", **self._headers}
        try:
            connection.request(
                method, self._server.path.rstrip("/") + path, json.dumps(body) if body else None, headers
            )
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as problem:
            raise ApiError(0, str(problem) or type(problem).__name__) from problem
        if answer.status >= 400:
            with answer:
                raise ApiError(answer.status, answer.read().decode(errors="replace").strip())
        return answer


def _broken(why: str) -> AzError:
    return AzError(f"Problem loading the kubeconfig file. {why}")
