"""How programs read a skip range that is written as NO_PROXY, and where they read it differently.

What each does was seen by running it: Go's httpproxy 0.44, Python's urllib 3.11, requests 2.34 and httpx 0.28, and
curl 7.88.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from arcgateway.proxy import canonical, host_and_port
from arcgateway.results import MENDS, Finding, Verdict

EVERYTHING = "*"


@dataclass(frozen=True)
class _Form:
    """A form of entry that programs read differently.

    Attributes:
        pattern: what it looks like.
        says: who reads it how.
        verdict: `warn` where there is another way to write it, `pass` where it has to be written so.
    """

    pattern: re.Pattern[str]
    says: str
    verdict: Verdict


_FORMS = (
    _Form(
        re.compile(r"\*\..+"),
        "is a suffix for Go alone; taken as one here, without its *, as which all read it",
        "warn",
    ),
    _Form(re.compile(r"[\d.]+/\d+"), "is a range for Go, curl and requests; urllib and httpx know no ranges", "pass"),
    _Form(
        re.compile(r"[0-9a-fA-F]*:[0-9a-fA-F:.]*/\d+"),
        "is a range for Go and curl; urllib and requests pass it over, httpx fails on it",
        "pass",
    ),
    _Form(
        re.compile(r"(?:\d+\.){3}\d+:\d+|\[.+\]:\d+"),
        "counts with its port for Go, urllib and httpx; requests and curl pass it over: give the address alone besides",
        "pass",
    ),
    _Form(
        re.compile(r"[^:\[\]]*[A-Za-z][^:\[\]]*:\d+"),
        "counts with its port, but for curl, which passes it over",
        "pass",
    ),
    _Form(
        re.compile(r"\..+"),
        "holds the name without its dot too for urllib, requests and curl; not for Go and httpx",
        "pass",
    ),
)


@dataclass(frozen=True)
class SkipRange:
    """A skip range as a command is given it.

    Attributes:
        entries: what goes round the proxy; `*` for everything.
        findings: what programs read differently.
    """

    entries: tuple[str, ...]
    findings: tuple[Finding, ...]

    def single_hosts(self) -> tuple[tuple[str, int], ...]:
        """The hosts and ports that are named one by one, and so can be looked at."""
        return tuple(found for entry in self.entries if (found := host_and_port(entry)) is not None)


def read(text: str) -> SkipRange:
    """Read a skip range as curl, Go and Python do where they agree.

    Raises:
        ValueError: an entry that none of them understands.
    """
    parts = [part for part in re.split(r"[,\s]+", text) if part]
    named = canonical(part for part in parts if part != EVERYTHING)
    entries = (EVERYTHING, *named) if EVERYTHING in parts else named
    return SkipRange(entries, tuple(_findings(text, parts)))


def _findings(text: str, parts: list[str]) -> Iterator[Finding]:
    if EVERYTHING in parts:
        alone = "" if len(parts) == 1 else " (for Go and httpx; urllib, requests and curl pass it over beside others)"
        yield _finding("warn", f"'*' sends everything round the proxy{alone}: nothing was probed through it")
    if re.search(r"[^\s,]\s+[^\s,]", text):
        yield _finding("warn", "blanks between entries part them for curl alone; taken as commas here")
    seen: dict[_Form, list[str]] = {}
    for part in parts:
        form = next((form for form in _FORMS if form.pattern.fullmatch(part)), None)
        if form is not None:
            seen.setdefault(form, []).append(part)
    for form, those in seen.items():
        yield _finding(form.verdict, f"{', '.join(dict.fromkeys(those))}: {form.says}")


def _finding(verdict: Verdict, evidence: str) -> Finding:
    return Finding("skip range", verdict, "skip-range", evidence, MENDS["skip-range"] if verdict == "warn" else "")
