"""What a real squid makes of the lists that we write, and whether we read others' as it does."""

from __future__ import annotations

from pathlib import Path

import pytest
import real_squid

from arcgateway import allowlist, endpoints
from arcgateway.allowlist_diff import compare
from arcgateway.allowlist_formats import Sheet, render, squid_domains
from arcgateway.squid_rules import SquidRules

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(real_squid.FOUND is None, reason="no squid on this machine: `make toolchain` gets one"),
]

GATEWAY = "abc.gw.arc.azure.com"
DENY = "http_access deny all\n"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("squid")
    # pytest's own folders are closed to squid's user.
    for above in (made, *made.parents):
        if above.name.startswith("pytest"):
            above.chmod(0o755)
    return made


def squid_text(entries: tuple[allowlist.Entry, ...]) -> str:
    return render("squid", Sheet(entries, "a test"))


@pytest.mark.parametrize("gateway", [GATEWAY, None], ids=["gateway", "no gateway"])
@pytest.mark.parametrize("regions", [["eastus"], ["eastus", "centralus"]], ids=["one", "two"])
def test_squid_takes_what_we_write_and_enforces_it(gateway: str | None, regions: list[str], folder: Path) -> None:
    made = allowlist.build(gateway, regions, endpoints.scenarios(), hops=("workstation", "nodes", "agents"))
    text = squid_text(made.of("required"))
    assert real_squid.parse(folder, text + DENY) == ""
    rows = [entry.endpoint for entry in made.of("required")]
    listed = {(row.host, row.port) for row in rows}
    with real_squid.running(folder, text + DENY) as squid:
        for row in rows:
            assert squid.allows(row.probe, row.port), row
            for neighbour in (f"x{row.host.removeprefix('*.')}", f"sub.{row.host.removeprefix('*.')}"):
                listed_too = any(endpoints.covers(host, neighbour) for host, port in listed if port == row.port)
                assert squid.allows(neighbour, row.port) == listed_too, neighbour
            if (row.host, 8443) not in listed:
                assert not squid.allows(row.probe, 8443), "another port"
        for other in ("example.com", "azure.com", "other.gw.arc.azure.com", "westus.login.microsoft.com"):
            assert not squid.allows(other)
        if gateway:
            for entry in made.of("removable"):
                host, port = entry.endpoint.probe, entry.endpoint.port
                needed = any(endpoints.covers(row.host, host) and row.port == port for row in rows)
                assert squid.allows(host, port) == needed


def test_squid_itself_refuses_what_we_leave_out(folder: Path) -> None:
    doubled = "acl a dstdomain -n gbl.his.arc.azure.com\nacl a dstdomain -n .his.arc.azure.com\nhttp_access allow a\n"
    assert "is a subdomain of" in real_squid.parse(folder, doubled + DENY)
    hosts = ["gbl.his.arc.azure.com", "*.his.arc.azure.com", "HIS.arc.azure.com", "this.arc.azure.com"]
    assert squid_domains(hosts) == [".his.arc.azure.com", "this.arc.azure.com"]


#: Configurations as people have them: (name, rules). `$FOLDER/more.txt` lists one name.
CONFIGURATIONS = {
    "usual": """
acl localnet src 127.0.0.0/8 10.0.0.0/8
acl SSL_ports port 443
acl Safe_ports port 80 443 1025-65535
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
acl arc dstdomain .his.arc.azure.com management.azure.com
acl arc dstdomain login.microsoftonline.com \\
    .login.microsoft.com
http_access allow localnet arc
http_access deny all
""",
    "stars mean nothing": """
acl a dstdomain *.his.arc.azure.com mcr.microsoft.com
http_access allow a
http_access deny all
""",
    "a deny before": """
acl bad dstdomain gbl.his.arc.azure.com
acl his dstdomain .his.arc.azure.com
http_access deny bad
http_access allow his
http_access deny all
""",
    "all but": "acl bad dstdomain .microsoft.com\nhttp_access deny bad\n",
    "any-of": """
acl one dstdomain mcr.microsoft.com
acl two dstdomain management.azure.com
acl either any-of one two
acl tls port 443 8084
acl both all-of either tls
http_access allow both
http_access deny all
""",
    "no rule": "",
    "negated": "acl arc dstdomain .azure.com\nhttp_access deny !arc\nhttp_access allow all\n",
    "a file": 'acl arc dstdomain "more.txt"\nhttp_access allow CONNECT arc\nhttp_access deny all\n',
    "upper case": "acl arc dstdomain .HIS.arc.AZURE.com\nhttp_access allow arc # his\nhttp_access deny all\n",
    "methods": "acl get method GET\nacl arc dstdomain .azure.com\nhttp_access allow get arc\nhttp_access deny all\n",
    "an expression that is not met": "acl rx dstdom_regex ^www\\.example\nhttp_access allow rx\nhttp_access deny all\n",
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_rules_are_read_as_squid_reads_them(name: str, folder: Path) -> None:
    (folder / "more.txt").write_text("# a list\n.mcr.microsoft.com  # both\n")
    text = CONFIGURATIONS[name]
    # squid's own default is meant, which the tests' frame has not.
    rules = SquidRules.read(text, folder)
    hosts = ["management.azure.com", "gbl.his.arc.azure.com", "eus.his.arc.azure.com", "his.arc.azure.com"]
    hosts += ["mcr.microsoft.com", "eastus.data.mcr.microsoft.com", "eastus.login.microsoft.com", "example.org"]
    with real_squid.running(folder, text) as squid:
        for host in hosts:
            for port in (443, 8084, 25):
                assert squid.allows(host, port) == rules.decide(host, port).allowed, f"{host}:{port}"


def test_the_list_of_what_we_write_has_no_difference(folder: Path) -> None:
    made = allowlist.build(GATEWAY, ["eastus"], ["azure-rbac", "container-insights"])
    found = compare(squid_text(made.of("required")) + DENY, "squid", made)
    assert (found.missing, found.superfluous, found.too_wide, found.unjudged) == ([], [], [], [])
    full = allowlist.build(None, ["eastus"], ["azure-rbac"])
    assert compare(squid_text(full.of("required")) + DENY, "squid", full).missing == []
