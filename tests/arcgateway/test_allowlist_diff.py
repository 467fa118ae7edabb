"""`arcgateway endpoints diff`: others' lists, in the forms that people keep them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from arcgateway import cli, endpoints
from arcgateway.allowlist import build
from arcgateway.allowlist_diff import Difference, compare, shape_of
from arcgateway.host_lists import read_csv, read_host, read_plain, read_ports
from arcgateway.squid_rules import SquidRules

GATEWAY = "abc.gw.arc.azure.com"
NINE = [row.host for row in endpoints.required(GATEWAY, "eastus")]
WANTED = build(GATEWAY, ["eastus"])


def missing(found: Difference) -> list[str]:
    return [one.endpoint.host for one in found.missing]


def plain(*lines: str) -> Difference:
    return compare("\n".join(lines), "plain", WANTED)


def diff(path: Path, *words: str) -> Result:
    given = ["endpoints", "diff", "--file", str(path), "--region", "eastus", "--gateway", GATEWAY, *words]
    return CliRunner().invoke(cli._group, given)


# --- words ---


@pytest.mark.parametrize(
    ("text", "globs", "port"),
    [
        ("mcr.microsoft.com", ("mcr.microsoft.com",), None),
        ("MCR.Microsoft.com.", ("mcr.microsoft.com",), None),
        (".mcr.microsoft.com", ("mcr.microsoft.com", "*.mcr.microsoft.com"), None),
        ("*.data.mcr.microsoft.com", ("*.data.mcr.microsoft.com",), None),
        ("*.data.mcr.microsoft.com/", ("*.data.mcr.microsoft.com",), None),
        ("mcr.microsoft.com/*", ("mcr.microsoft.com",), None),
        ("https://mcr.microsoft.com/", ("mcr.microsoft.com",), 443),
        ("http://mcr.microsoft.com", ("mcr.microsoft.com",), 80),
        ("https://x.obo.arc.azure.com:8084/", ("x.obo.arc.azure.com",), 8084),
        ("*://mcr.microsoft.com/*", ("mcr.microsoft.com",), None),
        ("mcr.microsoft.com:443", ("mcr.microsoft.com",), 443),
        ("*.his.arc.azure.com:*", ("*.his.arc.azure.com",), None),
        ("||mcr.microsoft.com^", ("mcr.microsoft.com",), None),
        ('"mcr.microsoft.com"', ("mcr.microsoft.com",), None),
        ("all", ("*",), None),
        ("*:443", ("*",), 443),
    ],
)
def test_a_host_in_every_style(text: str, globs: tuple[str, ...], port: int | None) -> None:
    found, ports = read_host(text)
    assert found == globs and ports.ranges == (((port, port),) if port else ())


@pytest.mark.parametrize(
    "text", ["10.0.0.0/8", "20.1.2.3", "[::1]:443", "ftp://x.com", "x y", "x:99999", "a..b", "[a-z].com"]
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError):
        read_host(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("443", [443], [80]),
        ("TCP/443", [443], [80]),
        ("Https:8084", [8084], [443]),
        ("443-445", [444], [446]),
        ("443; 8084", [443, 8084], [80]),
        ("https", [443], [80]),
        ("any", [1, 443], []),
    ],
)
def test_ports_in_every_style(text: str, inside: list[int], outside: list[int]) -> None:
    ports = read_ports(text)
    assert ports is not None and all(one in ports for one in inside) and not any(one in ports for one in outside)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    for read in (read_plain, read_csv):
        for line in read(text.replace("\0", "")).lines:
            assert line.globs
    SquidRules.read(f"acl a dstdomain x\n{text}", None).decide("x", 443)


# --- plain lists ---


def test_a_whole_list_with_comments_has_no_difference() -> None:
    lines = ["# Arc", *(f"{host}  # for Arc" for host in NINE), "; end", "// end", ""]
    assert missing(plain(*lines)) == []


def test_what_is_missing_superfluous_and_too_wide_comes_with_its_line() -> None:
    found = plain(
        "management.azure.com", ".microsoft.com", "*.servicebus.windows.net", "example.org", "*.gw.arc.azure.com"
    )
    assert missing(found) == [
        "eastus.obo.arc.azure.com",
        "login.microsoftonline.com",
        "gbl.his.arc.azure.com",
        "eus.his.arc.azure.com",
    ]
    assert [(one.line.number, one.line.text) for one in found.too_wide] == [
        (2, ".microsoft.com"),
        (5, "*.gw.arc.azure.com"),
    ]
    assert "mcr.microsoft.com" in found.too_wide[0].mend and GATEWAY in found.too_wide[1].mend
    assert [(one.line.number, one.kind) for one in found.superfluous] == [(3, "gateway-carries-it"), (4, "not-arc")]


@pytest.mark.parametrize("line", ["*", "all", ".azure.com", "*.azure.com", ".com", "*azure.com", "*.windows.net"])
def test_too_wide(line: str) -> None:
    assert [one.line.text for one in plain(line).too_wide] == [line]


@pytest.mark.parametrize(
    "line", [".mcr.microsoft.com", "*.his.arc.azure.com", "*.login.microsoft.com", ".management.azure.com"]
)
def test_not_too_wide(line: str) -> None:
    assert plain(line).too_wide == []


def test_names_of_other_regions_scenarios_and_gateways() -> None:
    found = plain("westeurope.obo.arc.azure.com", "*.monitoring.azure.com", "other.gw.arc.azure.com", "dl.k8s.io")
    assert [(one.line.number, one.kind) for one in found.superfluous] == [
        (1, "not-in-use"),
        (2, "not-in-use"),
        (3, "not-in-use"),
    ]
    assert "container-insights" in found.superfluous[1].reason


def test_a_wrong_port_is_told() -> None:
    lines = [host for host in NINE if host != "mcr.microsoft.com"]
    found = plain(*lines, "mcr.microsoft.com:80")
    (one,) = found.missing
    assert one.found_ports == "80" and one.number == 9 and one.endpoint.port == 443
    assert found.as_json()["wrongPorts"] == [{"host": "mcr.microsoft.com", "port": 443, "found": "80", "line": 9}]


def test_a_part_of_a_pattern_is_not_all_of_it() -> None:
    lines = [host for host in NINE if host != "*.data.mcr.microsoft.com"]
    (one,) = plain(*lines, "eastus.data.mcr.microsoft.com").missing
    assert "a part of it" in one.reason and one.number == 9


def test_without_a_gateway_the_whole_list_is_wanted() -> None:
    found = compare("\n".join(NINE), "plain", build(None, ["eastus"]))
    assert {"*.servicebus.windows.net", "sts.windows.net"} <= set(missing(found))


# --- CSV ---


@pytest.mark.parametrize(
    "text",
    [
        "FQDN,Port,Protocol\n{rows},443,TCP\n",
        "Name;Endpoint (DNS);Ports\nArc;{rows};443\n",
        "{rows},443\n",
        "443\t{rows}\tfor Arc\n",
        'id,url,comment\n1,https://{rows}/,"a, b"\n',
        "host,port,action\n{rows},TCP:443,Allow\n",
    ],
    ids=["header", "semicolons", "no header", "tabs, port first", "url", "action"],
)
def test_tables_with_and_without_a_header(text: str) -> None:
    lines = text.splitlines()
    body = "\n".join([*lines[:-1], *(lines[-1].replace("{rows}", host) for host in NINE)])
    assert shape_of(body, "list") == "csv"
    found = compare(body, "csv", WANTED)
    assert missing(found) == [] and found.unjudged == []


def test_a_table_of_names_in_several_columns() -> None:
    pairs = zip([*NINE, "x.example.net"][::2], [*NINE, "x.example.net"][1::2], strict=True)
    text = "\n".join(f"{one},{other}" for one, other in pairs)
    found = compare(text, shape_of(text, "list.txt"), WANTED)
    assert missing(found) == [] and [one.line.number for one in found.superfluous] == [5]


def test_a_row_that_denies_admits_nothing_and_a_port_counts() -> None:
    rows = "\n".join(f"{host},{80 if host.startswith('mcr') else 443},allow" for host in NINE[:-1])
    found = compare(f"host,port,action\n{rows}\n{NINE[-1]},443,deny\n", "csv", WANTED)
    assert missing(found) == ["mcr.microsoft.com", "*.data.mcr.microsoft.com"]
    assert [one.number for one in found.unjudged] == [10]


# --- squid ---


def squid(text: str, **more: Any) -> Difference:
    return compare(text, "squid", WANTED, **more)


ALL = "acl arc dstdomain -n " + " ".join(host.removeprefix("*") for host in NINE)


def test_a_squid_that_lets_all_of_it_through() -> None:
    assert missing(squid(f"{ALL}\nhttp_access allow arc\nhttp_access deny all")) == []


def test_ports_that_other_lines_deny() -> None:
    ports = "acl SSL_ports port 443\nhttp_access deny CONNECT !SSL_ports"
    text = f"{ports}\n{ALL}\nhttp_access allow arc\nhttp_access deny all"
    found = compare(text, "squid", build(None, ["eastus"], ["azure-rbac"]))
    (one,) = [one for one in found.missing if one.endpoint.port == 8084]
    assert one.found_ports == "443" or "line 2 denies it" in one.reason


@pytest.mark.parametrize(
    "rule",
    ["http_access allow localnet", "http_access allow all", "http_access allow localnet !bad"],
    ids=["source", "all", "but"],
)
def test_a_squid_that_lets_everything_through_is_too_wide(rule: str) -> None:
    found = squid(f"acl localnet src 10.0.0.0/8\nacl bad dstdomain .example.net\n{rule}\nhttp_access deny all")
    assert missing(found) == [] and [(one.line.number, one.line.text) for one in found.too_wide] == [(3, rule)]


def test_what_cannot_be_judged_is_said_and_not_taken_for_open(tmp_path: Path) -> None:
    text = (
        'acl rx dstdom_regex \\.arc\\.azure\\.com$\nacl ext external helper\nacl f dstdomain "/nowhere/x"\n'
        "http_access allow rx\nhttp_access allow ext\nhttp_access allow f\nhttp_access deny all\n"
    )
    found = squid(text, folder=tmp_path)
    assert [one.number for one in found.unjudged] == [1, 2, 3]
    assert missing(found) == NINE and all("cannot be judged" in one.reason for one in found.missing)


def test_files_beside_it_are_read(tmp_path: Path) -> None:
    (tmp_path / "arc.txt").write_text("\n".join(f".{host.removeprefix('*.')}" for host in NINE))
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "one.conf").write_text('acl arc dstdomain "arc.txt"\nhttp_access allow arc\n')
    assert missing(squid("include conf.d/*.conf\nhttp_access deny all\n", folder=tmp_path)) == []


def test_a_copy_beside_it_stands_for_a_file_of_the_proxys(tmp_path: Path) -> None:
    (tmp_path / "arc.txt").write_text("\n".join(host.removeprefix("*") for host in NINE))
    text = 'acl arc dstdomain "/etc/nowhere/arc.txt"\nhttp_access allow arc\nhttp_access deny all\n'
    found = squid(text, folder=tmp_path)
    assert missing(found) == [] and any("in place of /etc/nowhere/arc.txt" in note for note in found.notes)


def test_a_list_that_no_rule_uses_and_a_star_are_told() -> None:
    found = squid(
        "acl arc dstdomain *.his.arc.azure.com\nacl other dstdomain x.com\nhttp_access allow arc\nhttp_access deny all"
    )
    assert any("no `*`" in note and "line 1" in note for note in found.notes)
    assert any("acl other is in no http_access line" in note for note in found.notes)


def test_a_deny_by_source_is_not_for_the_clusters() -> None:
    text = f"acl guests src 10.9.0.0/16\n{ALL}\nhttp_access deny guests\nhttp_access allow arc\nhttp_access deny all"
    assert missing(squid(text)) == []


# --- the command ---


def test_status_2_where_something_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\n".join(NINE))
    assert diff(path).exit_code == 0
    path.write_text("\n".join(NINE[1:]))
    found = diff(path, "--json")
    assert found.exit_code == 2
    told = json.loads(found.stdout)
    assert told["form"] == "plain" and not told["complete"]
    assert [one["host"] for one in told["missing"]] == [GATEWAY]
    table = diff(path).stdout
    assert "missing: 1" in table and "8 of 9 needed names are open" in table


def test_options_may_stand_before_its_name(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\n".join(NINE))
    words = ["endpoints", "--region", "eastus", "--gateway", GATEWAY, "diff", "--file", str(path)]
    assert CliRunner().invoke(cli._group, words).exit_code == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_spreadsheets_write(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("\r\n".join(["Host;Port", *(f"{host};443" for host in NINE)]).encode(encoding))
    assert diff(path).exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "nothing in it"), (b"# only this\n", "nothing in it"), (b'{"a": 1}', "JSON"), (b"\xff\x00\xfe", "UTF-8")],
)
def test_what_is_no_list_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    found = diff(path)
    assert found.exit_code == 1 and said in str(found.exception) + found.output
