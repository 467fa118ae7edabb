"""What the preflight's pod runs: Python's standard library, this package's probe and the public roots, in one archive.

The pod runs `python3 -I -S ARCHIVE TASK`, so that whatever else its image holds plays no part. Its log says for a
person what was found, and holds the report between other lines, in pieces that no log driver splits.
"""

from __future__ import annotations

import ast
import base64
import dataclasses
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from arcgateway.endpoints import Endpoint
from arcgateway.preflight import Finding, Report, Result, run
from arcgateway.proxy import ProxySettings, ProxyUrl

#: Bytes of a report in one line of the log. Container runtimes split lines at 16 KiB, some log drivers earlier.
PIECE = 3000

_WORD = "arcgateway-preflight"

#: The archive's entry: parsed by any Python 3, so that one that is too old can say so.
_ENTRY = """import sys
if sys.version_info < (3, 11):
    sys.exit("the preflight needs Python 3.11 or later, and this image has %d.%d" % sys.version_info[:2])
from arcgateway.pod_probe import main
main(sys.argv[1:])
"""

#: One time for all members: the same sources make the same archive.
_TIME = (2020, 1, 1, 0, 0, 0)


class Incomplete(ValueError):
    """A log holds no whole report."""


def task(
    endpoints: Iterable[Endpoint],
    proxy: ProxySettings,
    genuine_roots: Iterable[str],
    mark: str,
    options: Mapping[str, Any],
) -> str:
    """What a pod is to do, as it is given to it: a secret where the proxy asks for credentials.

    Args:
        endpoints, proxy, genuine_roots: as `preflight.run` takes them.
        mark: tells this run's report from all else in a log.
        options: further arguments of `preflight.run`; plain JSON.
    """
    return json.dumps(
        {
            "endpoints": [dataclasses.asdict(item) for item in endpoints],
            "proxy": dataclasses.asdict(proxy),
            "genuineRoots": list(genuine_roots),
            "mark": mark,
            "options": dict(options),
        }
    )


def perform(text: str, log: Any) -> None:
    """Do a task, and write what was found into `log`."""
    given = json.loads(text)
    rows = [Endpoint(**row) for row in given["endpoints"]]

    def progress(found: Result) -> None:
        print(f"{found.host}:{found.port} {found.verdict} {found.cause} {found.milliseconds} ms", file=log, flush=True)

    proxy = _proxy(given["proxy"])
    report = run(rows, proxy, given["genuineRoots"], progress=progress, **given["options"])
    print(f"{report.verdict}: {len(rows)} endpoints", file=log, flush=True)
    for line in framed(report, given["mark"]):
        print(line, file=log, flush=True)


def framed(report: Report, mark: str) -> list[str]:
    """A report as lines of a log."""
    packed = zlib.compress(json.dumps(dataclasses.asdict(report)).encode(), 9)
    text = base64.b64encode(packed).decode()
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return [f"{_WORD} {mark} {number}/{len(pieces)} {piece}" for number, piece in enumerate(pieces, start=1)]


def unframed(log: str, mark: str) -> Report:
    """The report in a log, whatever else stands there, before its lines and after them.

    Raises:
        Incomplete: it is not there, not all of it is, or it is damaged.
    """
    found: dict[int, str] = {}
    wanted = 0
    for number, count, piece in re.findall(rf"{_WORD} {re.escape(mark)} (\d+)/(\d+) ([A-Za-z0-9+/=]+)", log):
        found[int(number)] = piece
        wanted = int(count)
    if not wanted:
        raise Incomplete("its log holds no report")
    if missing := [str(number) for number in range(1, wanted + 1) if number not in found]:
        raise Incomplete(f"its log lacks {len(missing)} of the report's {wanted} pieces")
    try:
        text = zlib.decompress(base64.b64decode("".join(found[number] for number in range(1, wanted + 1))))
        fields = json.loads(text)
        results = tuple(Result(**result) for result in fields["results"])
        return Report(fields["proxy"], results, tuple(Finding(**finding) for finding in fields["findings"]))
    except (ValueError, zlib.error, TypeError, KeyError):
        raise Incomplete("the report in its log is damaged") from None


def archive() -> bytes:
    """The archive that a pod runs: this module, what it imports of the package, certifi and its roots."""
    import certifi
    from certifi import core

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:

        def add(name: str, content: str | bytes) -> None:
            packed.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED, 9)

        add("__main__.py", _ENTRY)
        for path in _sources(Path(__file__)):
            add(f"arcgateway/{path.name}", path.read_bytes())
        add("certifi/__init__.py", "from certifi.core import contents, where\n")
        add("certifi/core.py", Path(core.__file__).read_bytes())
        add("certifi/cacert.pem", Path(certifi.where()).read_bytes())
    return made.getvalue()


def _sources(start: Path) -> list[Path]:
    """A module of this package and all that it needs of the package, wherever in their text they import it."""
    found: dict[str, Path] = {"__init__": start.with_name("__init__.py")}
    waiting = [start.stem]
    while waiting:
        name = waiting.pop()
        path = start.with_name(f"{name}.py")
        if name in found or not path.exists():
            continue
        found[name] = path
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module == "arcgateway":
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("arcgateway."):
                waiting.append(str(node.module).split(".")[1])
    return [found[name] for name in sorted(found)]


def _proxy(fields: Mapping[str, Any]) -> ProxySettings:
    urls = {name: ProxyUrl(**fields[name]) if fields[name] else None for name in ("https", "http")}
    return ProxySettings(**{**fields, **urls, "skip": tuple(fields["skip"])})


def main(arguments: Sequence[str]) -> None:
    """The pod's command: the task's file is its one argument."""
    perform(Path(arguments[0]).read_text(), sys.stdout)
