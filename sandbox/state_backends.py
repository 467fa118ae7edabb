"""Where Pulumi keeps its state, on this machine: a folder, Microsoft's emulator of Azure Storage, and moto's S3.

The two servers are no part of `sandbox up`: tests and benchmarks start them, each where its program is to be had.
Both speak TLS with the sandbox's certificate, so that a client goes the same way as to the real services.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Protocol

import requests

from sandbox.certificates import certificates
from sandbox.home import Home, MissingTool
from sandbox.service import Service, listening

ACCOUNT = "arcstate"
#: The container, or the bucket.
STORE = "state"
REGION = "us-east-1"
ACCESS_KEY = "AKIASANDBOX"

#: Seconds for one request of this module's own.
LIMIT = 10


class Backend(Protocol):
    """One place for states."""

    @property
    def home(self) -> Home:
        """The sandbox whose certificates and ports it uses."""

    @property
    def services(self) -> list[Service]:
        """The processes that it takes."""

    def prepare(self) -> None:
        """Make the container or the bucket, once the processes run."""

    def variables(self) -> dict[str, str]:
        """What leads `pulumi` there, secrets among them."""

    def contents(self) -> dict[str, bytes]:
        """All that it holds, by name."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    home: Home

    @property
    def services(self) -> list[Service]:
        return []

    def prepare(self) -> None:
        self._root.mkdir(exist_ok=True)

    def variables(self) -> dict[str, str]:
        return {"PULUMI_BACKEND_URL": self._root.as_uri()}

    def contents(self) -> dict[str, bytes]:
        return {str(path.relative_to(self._root)): path.read_bytes() for path in _files(self._root)}

    @property
    def _root(self) -> Path:
        return self.home.root / "state-in-folder"


@dataclass(frozen=True)
class AzureBlob:
    """Azurite, with an account and a key of this sandbox's own.

    Attributes:
        keys: whether `variables` has the account's key; without it Pulumi logs in as it does to Azure, with a token.
    """

    home: Home
    keys: bool = True

    @property
    def services(self) -> list[Service]:
        """Azurite's blobs alone.

        Raises:
            MissingTool: it is not there.
        """
        files, port = certificates(self.home), self.home.port("azurite")
        location = self.home.folder("azurite")
        return [
            Service(
                name="azurite",
                argv=(
                    *(str(self.home.tool("azurite-blob")), "--disableTelemetry", "--skipApiVersionCheck"),
                    *("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(location)),
                    *("--cert", str(files.chain), "--key", str(files.key), "--oauth", "basic"),
                ),
                ready=listening(port),
                env={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{self._key}"},
                ports=("azurite",),
            )
        ]

    def prepare(self) -> None:
        answer = self._ask("PUT", f"/{STORE}", restype="container")
        if answer.status_code not in (201, 409):
            answer.raise_for_status()

    def variables(self) -> dict[str, str]:
        key = {"AZURE_STORAGE_KEY": self._key} if self.keys else {}
        return {
            "PULUMI_BACKEND_URL": f"azblob://{STORE}",
            "AZURE_STORAGE_ACCOUNT": ACCOUNT,
            # A name of this machine makes the client put the account into the path, as emulators want it.
            "AZURE_STORAGE_DOMAIN": f"127.0.0.1:{self.home.port('azurite')}",
            "SSL_CERT_FILE": str(certificates(self.home).bundle),
            **key,
        }

    def contents(self) -> dict[str, bytes]:
        return {name: self._ask("GET", f"/{STORE}/{name}").content for name in self._names()}

    def _names(self) -> Iterator[str]:
        marker = ""
        while True:
            more = {"marker": marker} if marker else {}
            page = ET.fromstring(self._ask("GET", f"/{STORE}", comp="list", restype="container", **more).content)  # noqa: S314 our own server's
            yield from (name.text or "" for name in page.iter("Name"))
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return

    @property
    def _key(self) -> str:
        """The account's key: made once."""
        file = self.home.root / "azurite.key"
        if not file.exists():
            self.home.write(file.name, base64.b64encode(secrets.token_bytes(48)).decode())
        return file.read_text()

    def _ask(self, method: str, path: str, **query: str) -> requests.Response:
        """A request that is signed with the account's key, as Azure Storage documents it."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
        # An emulator has the account in the path, and once more before it in what is signed.
        resource = f"/{ACCOUNT}/{ACCOUNT}{path}" + "".join(f"\n{name}:{query[name]}" for name in sorted(query))
        signed = "\n".join([method, *[""] * 11, *(f"{name}:{headers[name]}" for name in sorted(headers)), resource])
        code = hmac.new(base64.b64decode(self._key), signed.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(code).decode()}"
        url = f"https://127.0.0.1:{self.home.port('azurite')}/{ACCOUNT}{path}"
        return _session(self.home).request(method, url, params=query, headers=headers, timeout=LIMIT)


@dataclass(frozen=True)
class S3:
    """moto's server, which keeps all in memory and takes any access key; it has a KMS too."""

    home: Home

    @property
    def services(self) -> list[Service]:
        """The one process.

        Raises:
            MissingTool: it is not there.
        """
        files, port = certificates(self.home), self.home.port("moto")
        return [
            Service(
                name="moto",
                argv=(
                    *(str(self.home.tool("moto-server")), "--host", "127.0.0.1", "--port", str(port)),
                    *("--ssl-cert", str(files.chain), "--ssl-key", str(files.key)),
                ),
                ready=listening(port),
                ports=("moto",),
            )
        ]

    def prepare(self) -> None:
        self._ask("PUT", f"/{STORE}").raise_for_status()

    def variables(self) -> dict[str, str]:
        return {
            "PULUMI_BACKEND_URL": f"s3://{STORE}?region={REGION}&endpoint={self._url}&s3ForcePathStyle=true",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_CA_BUNDLE": str(certificates(self.home).bundle),
            # Nobody is asked for other credentials, least of all a cloud machine's metadata service.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def contents(self) -> dict[str, bytes]:
        return {name: self._ask("GET", f"/{STORE}/{name}").content for name in self._names()}

    def _names(self) -> Iterator[str]:
        token = ""
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        while True:
            more = {"continuation-token": token} if token else {}
            page = ET.fromstring(self._ask("GET", f"/{STORE}", **{"list-type": "2", **more}).content)  # noqa: S314 our own server's
            yield from (key.text or "" for key in page.iter(f"{space}Key"))
            token = page.findtext(f"{space}NextContinuationToken") or ""
            if not token:
                return

    @property
    def _url(self) -> str:
        return f"https://127.0.0.1:{self.home.port('moto')}"

    def _ask(self, method: str, path: str, **query: str) -> requests.Response:
        # It wants to see a signature, and does not check it.
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/s3/aws4_request"}
        return _session(self.home).request(method, f"{self._url}{path}", params=query, headers=headers, timeout=LIMIT)


#: By the name that the documents and the benchmarks use.
BACKENDS: Mapping[str, type[Folder] | type[AzureBlob] | type[S3]] = {"file": Folder, "azblob": AzureBlob, "s3": S3}


def missing(home: Home, name: str) -> str:
    """Why a backend cannot be had on this machine, with the mend; empty where it can."""
    try:
        _ = BACKENDS[name](home).services
    except MissingTool as problem:
        return str(problem)
    return ""


def _session(home: Home) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificates(home).root)
    return session


def _files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())
