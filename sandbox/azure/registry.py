"""The OCI registry under mcr.microsoft.com: the sandbox's chart folders as helm charts, the same bytes every time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import world
from sandbox.azure.core import Azure, Call, Reply

_VERSION = re.compile(r"\d+\.\d+\.\d+([-_][\w.-]+)?", re.ASCII)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass(frozen=True)
class Packed:
    """A chart as a registry holds it."""

    version: str
    manifest: bytes
    config: bytes
    layer: bytes

    @property
    def blobs(self) -> dict[str, tuple[str, bytes]]:
        """Media type and content by digest."""
        return {digest(data): (kind, data) for kind, data in ((_CONFIG, self.config), (_LAYER, self.layer))}


#: Charts that were packed before, by folder and the state that its files were in.
_packed: dict[Path, tuple[object, Packed]] = {}


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request below `/v2/`."""
    path = call.path.removeprefix("/v2").strip("/")
    if not path:
        return Reply(200, {}, {"Docker-Distribution-Api-Version": "registry/2.0"})
    if call.method not in ("GET", "HEAD"):
        return _refuse(405, "UNSUPPORTED", "the registry is only read")
    repository, _, reference = path.rpartition("/")
    repository, _, part = repository.rpartition("/")
    folder = world.CHART_REPOSITORIES.get(repository)
    chart = pack(azure.charts / folder) if folder else None
    if chart is None:
        return _refuse(404, "NAME_UNKNOWN", f"repository {repository} is not known")
    if part == "tags" and reference == "list":
        return Reply(200, {"name": repository, "tags": [chart.version.replace("+", "_")]})
    named = reference in (chart.version.replace("+", "_"), digest(chart.manifest))
    if part == "manifests" and (named or (folder in world.CHARTS_OF_ANY_VERSION and _VERSION.fullmatch(reference))):
        return _content(MANIFEST, chart.manifest)
    if part == "manifests":
        return _refuse(404, "MANIFEST_UNKNOWN", f"manifest tagged by {reference} is not found")
    if part == "blobs" and reference in chart.blobs:
        return _content(*chart.blobs[reference])
    return _refuse(404, "BLOB_UNKNOWN", f"blob {reference} is not found")


def pack(folder: Path) -> Packed | None:
    """A chart folder as OCI artefact, or None where there is none; the same folder always makes the same bytes."""
    files = list(_files(folder))
    state = tuple((name, path.stat().st_mtime_ns, path.stat().st_size) for name, path in files)
    if not any(name == "Chart.yaml" for name, _ in files):
        return None
    known = _packed.get(folder)
    if known is None or known[0] != state:
        _packed[folder] = known = (state, _pack(folder, files))
    return known[1]


def digest(data: bytes) -> str:
    """A content's name in a registry."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _pack(folder: Path, files: list[tuple[str, Path]]) -> Packed:
    import yaml  # Only here, and seldom: it is a megabyte that most runs do without.

    about = yaml.safe_load((folder / "Chart.yaml").read_text())
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in files:
            data = path.read_bytes()
            entry = tarfile.TarInfo(f"{about['name']}/{name}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    layer = gzip.compress(plain.getvalue(), mtime=0)
    config = json.dumps(about, sort_keys=True, default=str).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": _LAYER, "digest": digest(layer), "size": len(layer)}],
        "annotations": {
            "org.opencontainers.image.title": about["name"],
            "org.opencontainers.image.version": str(about["version"]),
        },
    }
    return Packed(str(about["version"]), json.dumps(manifest, sort_keys=True).encode(), config, layer)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            yield name, path


def _content(kind: str, data: bytes) -> Reply:
    return Reply(200, data, {"Content-Type": kind, "Docker-Content-Digest": digest(data), "ETag": f'"{digest(data)}"'})


def _refuse(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"errors": [{"code": code, "message": message, "detail": {}}]})
