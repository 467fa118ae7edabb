"""One preflight for all drivers of one update: they share its verdict through a lock and a short-lived file.

The engine's address, which the command plugin is started with, tells one update from the next. So a verdict is never
carried from one update into another, and a hundred clusters behind one proxy probe it once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from arcgateway.endpoints import Endpoint
from arcgateway.lifeline import ancestors
from arcgateway.platforms import HERE
from arcgateway.proxy import ProxySettings
from arcgateway.results import Finding, Report, Result

#: A long update probes again after this many seconds.
LIFETIME = 900.0

_ADDRESS = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):\d{2,5}")


def shared(
    endpoints: Iterable[Endpoint],
    proxy: ProxySettings,
    genuine_roots: Iterable[str],
    make: Callable[[], Report],
    *,
    update: str | None = None,
    folder: Path | None = None,
    lifetime: float = LIFETIME,
) -> tuple[Report, bool]:
    """The verdict of this update on these endpoints through this proxy, made by whoever comes first.

    Args:
        endpoints, proxy, genuine_roots: what the verdict is about.
        make: makes one; the others wait for it meanwhile.
        update: what tells this update from others; by default the engine's address, or the parent process.
        folder: where verdicts are shared; by default a folder of this user's in the temporary one.
        lifetime: seconds after which a verdict is made anew.

    Returns:
        The verdict, and whether it was made just now.
    """
    place = folder or _folder()
    path = place / f"{_key(update or engine(), endpoints, proxy, genuine_roots)}.json"
    with _locked(path.with_suffix(".lock")):
        known = _read(path, lifetime)
        if known is not None:
            return known, False
        report = make()
        _write(path, report)
        _sweep(place, lifetime)
        return report, True


def engine() -> str:
    """The engine's address from the command lines of the processes above, else the launcher's parent or our own."""
    above = ancestors()
    for pid in reversed(above):
        for word in reversed(HERE.command_line(pid)[1:]):
            if _ADDRESS.fullmatch(word):
                return word
    return f"process {above[-1]}"


def _key(update: str, endpoints: Iterable[Endpoint], proxy: ProxySettings, genuine_roots: Iterable[str]) -> str:
    # Which proxy each name goes through, and not the skip range's text: clusters have ranges of their own in theirs.
    routes = sorted(
        (item.probe, item.port, route.url if (route := proxy.route(item.probe, item.port)) else "")
        for item in endpoints
    )
    http = proxy.http.url if proxy.http else ""
    about = [update, routes, http, proxy.certificate, sorted(genuine_roots)]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _folder() -> Path:
    """A folder that is ours alone: under a temporary folder anybody could have put one there before us."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    owner = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    place = Path(base) / f"arcgateway-{owner}"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid"):
        seen = place.lstat()
        if place.is_symlink() or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
            return Path(tempfile.mkdtemp(prefix="arcgateway-verdicts-"))
    return place


def _read(path: Path, lifetime: float) -> Report | None:
    try:
        if not 0 <= time.time() - path.stat().st_mtime <= lifetime:
            return None
        stored = json.loads(path.read_text())
        return Report(
            stored["proxy"],
            tuple(Result(**result) for result in stored["results"]),
            tuple(Finding(**finding) for finding in stored["findings"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, report: Report) -> None:
    aside = path.with_suffix(f".{os.getpid()}")
    stored = {
        "proxy": report.proxy,
        "results": [vars(result) for result in report.results],
        "findings": [vars(finding) for finding in report.findings],
    }
    aside.write_text(json.dumps(stored))
    aside.replace(path)


def _sweep(place: Path, lifetime: float) -> None:
    """Remove what no update can want any more. A lock file goes only when nobody can still be waiting for it."""
    now = time.time()
    for path in place.iterdir():
        try:
            if now - path.stat().st_mtime > 10 * lifetime:
                path.unlink()
        except OSError:
            continue


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a+b") as file:
        HERE.lock(file)
        os.utime(path)
        yield
