"""The command on files: lists, verdicts, outputs, statuses; and that it agrees with the logs of real proxies."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, ConsoleDimensions

from arcgateway import audit, cli
from arcgateway.audit import Index, Lists
from arcgateway.audit_output import _live_table
from arcgateway.logfiles import LONGEST, blocks
from arcgateway.traffic import Lines, Reader, Tally

GATEWAY = "11111111-2222-3333-4444-555555555555.gw.arc.azure.com"
BEGIN = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
HOST = "eastus.dp.kubernetesconfiguration.azure.com"
LOGIN = "login.windows.net"
WIDE = "x1.servicebus.windows.net"
REGION = ("--region", "eastus")


def at(minutes: float) -> str:
    return (BEGIN + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envoy(minutes: float, host: str, upstream: str = GATEWAY, status: str = "200 -") -> str:
    return (
        f'[{at(minutes)}] "CONNECT {host}:443 HTTP/1.1" {status} 100 2000 5 - "-" "agent" "id" "{host}:443" '
        f'"{upstream}:443"'
    )


def squid(minutes: float, host: str) -> str:
    moment = (BEGIN + timedelta(minutes=minutes)).timestamp()
    return f"{moment:.3f}    120 10.0.0.4 TCP_TUNNEL/200 2000 CONNECT {host}:443 - HIER_DIRECT/20.1.2.3 -"


class Command:
    """The command in this process, with what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.folder = folder
        self.err = ""

    def log(self, name: str, *lines: str) -> str:
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    def __call__(self, *words: str, status: int = 0) -> str:
        before, sys.argv = sys.argv, ["arcgateway", "audit", *words]
        try:
            with pytest.raises(SystemExit) as end:
                cli.main("arcgateway")
        finally:
            sys.argv = before
        out, self.err = self._capsys.readouterr()
        assert (end.value.code or 0) == status, out + self.err
        return out

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self(*words, "--json", status=status))

    def verdicts(self, *words: str, status: int = 0) -> dict[str, tuple[str, str]]:
        return {row["host"]: (row["verdict"], row["evidence"]) for row in self.json(*words, status=status)["removable"]}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    return Command(capsys, tmp_path)


# --- lists ---


def test_destinations_are_told_apart_by_list(run: Command) -> None:
    hosts = {
        "management.azure.com": "required",
        HOST: "removable",
        WIDE: "removable",
        "x.ods.opinsights.azure.com": "scenario container-insights",
        "dl.k8s.io": "workstation",
        "x.his.arc.azure.com": "listed",
        "example.com": "unlisted",
        "metrics.azure-arc.svc": "in-cluster",
        "10.96.0.1": "in-cluster",
        GATEWAY: "gateway",
    }
    report = run.json(*REGION, run.log("a", *(envoy(0, host) for host in hosts)))
    assert {row["host"]: row["list"] for row in report["destinations"]} == hosts
    chosen = run.json(*REGION, "--scenario", "container-insights", run.log("b", envoy(0, "x.ods.opinsights.azure.com")))
    assert chosen["destinations"][0]["list"] == "required"


def test_another_port_is_another_destination(run: Command) -> None:
    line = envoy(0, "management.azure.com").replace("management.azure.com:443", "management.azure.com:8443")
    (row,) = run.json(*REGION, run.log("a", line))["destinations"]
    assert (row["port"], row["list"]) == (8443, "unlisted")


def test_a_name_comes_before_a_pattern() -> None:
    lists = Lists.of(["eastus"], GATEWAY)
    row = lists.index().find("guestnotificationservice.azure.com", 443)
    assert row is not None and row.host == "guestnotificationservice.azure.com"
    assert lists.index().pattern("a.b.servicebus.windows.net", 443) == "*.servicebus.windows.net"
    assert Index(()).find("a.b", 1) is None


def test_what_one_region_needs_is_not_superfluous_for_another() -> None:
    both = Lists.of(["eastus", "westeurope"], GATEWAY)
    assert not {row.host for row in both.required} & {row.host for row in both.removable}
    assert "westeurope.dp.kubernetesconfiguration.azure.com" in {row.host for row in both.removable}


def test_without_a_region_the_lists_are_left_out_and_it_says_so(run: Command) -> None:
    report = run.json(run.log("a", envoy(0, HOST)))
    assert report["destinations"][0]["list"] is None and report["removable"] == []
    run(run.log("a", envoy(0, HOST)))
    assert "give --region" in run.err


# --- what may be closed ---


def test_unused_used_and_unproven(run: Command) -> None:
    log = run.log(
        "a", envoy(0, HOST), envoy(30, LOGIN, LOGIN), envoy(90, HOST), envoy(95, "sts.windows.net", "20.1.2.3")
    )
    found = run.verdicts(*REGION, log)
    assert found[HOST][0] == "unused"
    assert "4 lines from 2026-11-24T10:00:00Z to 2026-11-24T11:35:00Z" in found[HOST][1]
    assert "through the gateway 2 times, the last 2026-11-24T11:30:00Z" in found[HOST][1]
    assert found[LOGIN] == ("used", "past the gateway, the last time 2026-11-24T10:30:00Z (once)")
    assert found["sts.windows.net"][0] == "unproven" and "by which way" in found["sts.windows.net"][1]
    assert found["*.servicebus.windows.net"][0] == "unused"


def test_use_before_the_association_does_not_keep_a_name_open(run: Command) -> None:
    log = run.log("a", squid(0, LOGIN), squid(0, HOST), squid(20, HOST), squid(90, GATEWAY))
    associated = ("--associated-at", at(10))
    found = run.verdicts(*REGION, *associated, log)
    assert found[LOGIN][0] == "unused" and found[HOST][0] == "used"
    assert run.verdicts(*REGION, log)[LOGIN][0] == "used"
    late = run.verdicts(*REGION, "--associated-at", at(50), log)
    assert late[LOGIN][0] == "unproven"
    assert "the logs cover 40 min since the association, and 1 h are asked for" in late[LOGIN][1]


def test_a_short_log_proves_nothing_unless_that_is_asked_for(run: Command) -> None:
    log = run.log("a", envoy(0, HOST), envoy(10, HOST))
    assert run.verdicts(*REGION, log)[HOST][0] == "unproven"
    assert run.verdicts(*REGION, "--at-least", "5m", log)[HOST][0] == "unused"


def test_unread_lines_and_unread_logs_prove_nothing(run: Command) -> None:
    lines = [envoy(minute, HOST) for minute in range(80)]
    assert "could not be read" in run.verdicts(*REGION, run.log("a", *lines, "?"), status=3)[HOST][1]
    assert run.verdicts(*REGION, run.log("b", *lines))[HOST][0] == "unused"
    assert run.verdicts(*REGION, run.log("b", *lines), "/nowhere", status=3)[HOST][0] == "unproven"


def test_what_nodes_pull_themselves_is_never_offered_for_closing(run: Command) -> None:
    offered = run.verdicts(*REGION, "--scenario", "extensions", run.log("a", envoy(0, HOST), envoy(90, HOST)))
    assert HOST in offered and "linuxgeneva-microsoft.azurecr.io" not in offered


def test_never_what_the_gateway_needs(run: Command) -> None:
    report = run.json(*REGION, run.log("a", envoy(0, HOST), envoy(90, HOST)))
    assert "management.azure.com" not in {row["host"] for row in report["removable"]}
    assert "*.his.arc.azure.com" not in {row["host"] for row in report["removable"]}


def test_a_log_that_names_no_gateway_says_nothing_of_closing(run: Command) -> None:
    log = run.log("a", squid(0, LOGIN), squid(90, LOGIN))
    assert run.json(*REGION, log)["removable"] == []
    run(*REGION, log)
    assert "give --gateway" in run.err
    assert run.verdicts(*REGION, "--gateway", GATEWAY, log)[LOGIN][0] == "used"


def test_a_young_pods_log_proves_no_more_than_its_own_time() -> None:
    """It may have taken the place of one whose log is gone."""

    def log(name: str, *minutes: float) -> Lines:
        lines = Lines(f"east {name}", "east")
        Reader(tally, lines).feed([envoy(minute, HOST).encode() for minute in minutes])
        return lines

    tally, now = Tally(), (BEGIN + timedelta(minutes=120)).timestamp()
    old, young = log("a", 0, 110), log("b", 100, 110)
    lists = Lists.of(["eastus"], GATEWAY)

    def verdict(*sources: Lines) -> tuple[str, str]:
        report = audit.assess(tally, sources, lists, gateway=GATEWAY, now=now)
        return next((one.verdict, one.evidence) for one in report.closable if one.endpoint.host == HOST)

    assert verdict(old)[0] == "unused"
    assert verdict(old, young)[0] == "unproven" and "cover 20 min" in verdict(old, young)[1]
    old.lose()
    Reader(tally, old).feed([envoy(90, HOST).encode()])
    assert verdict(old)[0] == "unproven" and "cover 30 min" in verdict(old)[1]


# --- reading ---


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, lambda text: text.decode().encode("utf-16"), lambda text: text],
    ids=["gz", "bz2", "xz", "utf-16", "plain"],
)
def test_files_of_every_kind(run: Command, pack: Callable[[bytes], bytes]) -> None:
    path = run.folder / "log"
    path.write_bytes(pack("\r\n".join(envoy(minute, HOST) for minute in range(200)).encode()))
    report = run.json(*REGION, str(path))
    assert (report["lines"]["total"], report["lines"]["read"]) == (200, 200)


def test_standard_input_and_several_files(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress((envoy(0, HOST) + "\n").encode()))))
    report = run.json(*REGION, "--file", "-", run.log("a", envoy(1, HOST)), run.log("b", squid(2, HOST)))
    assert report["lines"]["forms"] == {"envoy": 2, "squid": 1}
    assert [source["name"].rsplit("/")[-1] for source in report["sources"]] == ["standard input", "a", "b"]
    assert report["destinations"][0]["ways"]["direct"]["requests"] == 1


def test_what_cannot_be_read_is_said(run: Command) -> None:
    run("--file", "/nowhere", status=1)
    assert run.err.startswith("/nowhere cannot be read (No such file or directory)")
    run(str(run.folder), status=1)
    assert "cannot be read" in run.err
    cut = run.folder / "cut.gz"
    cut.write_bytes(gzip.compress("\n".join(envoy(minute, HOST) for minute in range(5000)).encode())[:-2000])
    report = run.json(*REGION, str(cut), status=3)
    assert "breaks in the middle" in report["problems"][0]["cause"] and report["lines"]["read"] > 1000
    archive = run.folder / "logs.zip"
    archive.write_bytes(b"PK\x03\x04" + bytes(100))
    run(str(archive), status=1)
    assert "unzip -p" in run.err


def test_an_empty_log_is_no_error(run: Command) -> None:
    assert run(*REGION, run.log("a")).startswith("0 of 0 lines not read (0.0%) in 1 log")


def test_lines_without_end_take_no_memory() -> None:
    class Endless(io.RawIOBase):
        left = 200

        def read1(self, size: int) -> bytes:
            self.left -= 1
            return b"x" * size if self.left >= 0 else b""

    found = [line for block in blocks(Endless(), "endless") for line in block]  # type: ignore[arg-type]
    assert [len(line) for line in found] == [LONGEST]


def test_since(run: Command) -> None:
    log = run.log("a", envoy(0, HOST), envoy(30, LOGIN))
    report = run.json(*REGION, "--since", at(10), log)
    assert [row["host"] for row in report["destinations"]] == [LOGIN]
    assert report["lines"]["beforeSince"] == 1
    assert run.json(*REGION, "--since", "3650d", log)["lines"]["read"] == 2


def test_only_the_clusters_own_connections_in_a_proxys_log(run: Command) -> None:
    others = squid(5, LOGIN).replace("10.0.0.4", "192.168.1.9")
    named = squid(6, LOGIN).replace("10.0.0.4", "laptop.example")
    log = run.log("a", squid(0, GATEWAY), squid(90, GATEWAY), others, named)
    run(*REGION, log)
    assert "--client" in run.err
    assert run.verdicts(*REGION, log)[LOGIN][0] == "used"
    report = run.json(*REGION, "--client", "10.0.0.0/16", log)
    assert [row["host"] for row in report["destinations"]] == [GATEWAY]
    assert report["lines"]["ofOtherClients"] == 2
    assert run.verdicts(*REGION, "--client", "10.0.0.0/16", log)[LOGIN][0] == "unused"
    assert run.json(*REGION, "--client", "10.0.0.4", run.log("b", envoy(0, HOST)))["lines"]["read"] == 1


@pytest.mark.parametrize("width", [80, 160])
def test_the_live_table_fits_a_terminal(run: Command, width: int) -> None:
    """Every figure is to be seen; what is too long of a name gives way."""
    log = run.log("a", *(envoy(minute, f"n{minute}.{HOST}", status="503 UF") for minute in range(60)))
    tally, lines = Tally(), Lines("a")
    Reader(tally, lines).feed(Path(log).read_bytes().splitlines())
    problem = audit.Problem("west", "it is away", "look")
    report = audit.assess(tally, [lines], Lists.of(["eastus"], GATEWAY), regions=["eastus"], problems=[problem])
    out = io.StringIO()
    Console(file=out, width=width, height=24).print(_live_table(report, ConsoleDimensions(width, 24)))
    shown = out.getvalue().splitlines()
    assert len(shown) <= 24 and max(map(len, shown)) <= width
    assert "west: it is away: look" in out.getvalue() and "of 60 destinations" in out.getvalue()
    row = next(line for line in shown if line.startswith("n0."))
    assert "unlisted" in row and "1 (503 UF)" in row and row.rstrip().endswith("10:00:00Z")


# --- what it prints ---


def test_the_unread_share_comes_first_and_secrets_never(run: Command) -> None:
    log = run.log("a", envoy(0, HOST), "via http://user:canary@proxy:3128", squid(1, "u:canary@x"))
    shown = run(*REGION, log, status=3)
    assert shown.splitlines()[0].startswith("2 of 3 lines not read (66.7%) in 1 log, ")
    for words in ((), ("--json",), ("--csv",), ("--json", "--removable")):
        assert "canary" not in run(*REGION, *words, log, status=3) + run.err


def test_csv_is_for_programs(run: Command) -> None:
    log = run.log("a", envoy(0, HOST), envoy(1, HOST, status="403 -"), envoy(90, LOGIN, LOGIN))
    rows = list(csv.DictReader(io.StringIO(run(*REGION, "--csv", log))))
    assert rows[0] | {"first": "", "last": ""} == {
        "host": HOST, "port": "443", "list": "removable", "requests": "2", "gateway": "2", "direct": "0",
        "unknown": "0", "failures": "1", "bytes_up": "200", "bytes_down": "4000", "first": "", "last": "",
        "causes": "403=1", "clusters": "",
    }  # fmt: skip
    closing = list(csv.DictReader(io.StringIO(run(*REGION, "--csv", "--removable", log))))
    assert {row["host"]: row["verdict"] for row in closing}[LOGIN] == "used"


@pytest.mark.parametrize(
    ("host", "upstream", "status"),
    [
        (HOST, GATEWAY, 0),
        ("management.azure.com", "management.azure.com", 0),
        (HOST, HOST, 2),
        ("x.example", GATEWAY, 2),
    ],
    ids=["carried", "needed directly", "past the gateway", "on no list"],
)
def test_check_is_for_pipelines(run: Command, host: str, upstream: str, status: int) -> None:
    run(*REGION, "--check", run.log("a", envoy(0, host, upstream)), status=status)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--file", "a", "--context", "c"), "from files or from clusters"),
        (("--file", "a", "--follow"), "from files or from clusters"),
        (("--duration", "5m"), "--follow too"),
        (("--json", "--csv", "a"), "two outputs"),
        (("--file", "-", "-"), "standard input can be read once"),
        (("--since", "soon", "a"), "'soon' is no time"),
        (("--at-least", "1", "a"), "'1' is no duration"),
        (("--region", "east/us", "a"), "no Azure region"),
        (("--gateway", "https://x y", "a"), "no host name"),
        (("--scenario", "magic", "a"), "unknown scenario"),
        (("--format", "(?P<x>y)", "a"), "name any of"),
        (("--client", "10.0.0.300", "a"), "give an address"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_usage_is_one_line_and_status_1(run: Command, words: tuple[str, ...], said: str) -> None:
    assert run(*words, status=1) == ""
    assert said in run.err and run.err.count("\n") == 1


def test_a_kubeconfig_that_is_not_there(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(run.folder / "none"))
    run(status=1)
    assert "no kubeconfig at" in run.err


def test_a_pipe_that_closes_is_no_traceback(run: Command) -> None:
    log = run.log("a", *(envoy(0, f"h{number}.example") for number in range(5000)))
    script = f"{sys.executable} -m arcgateway audit --csv {log} | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("host,") and "Traceback" not in done.stderr


def test_times_of_nobody_are_none() -> None:
    assert audit.rfc3339(float("inf")) is None and audit.rfc3339(-float("inf")) is None
