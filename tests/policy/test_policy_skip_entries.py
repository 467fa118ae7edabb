"""What holds of every skip range, whatever is in it."""

from __future__ import annotations

import ipaddress
import time

from arc_policies.names import THROUGH_PROXY
from arc_policies.proxies import Asked
from arc_policies.rule import findings
from arc_policies.settings import Settings
from arc_policies.skip_entries import every_address, judge, lacking
from arc_policies.skip_ranges import RULE
from arc_policies.tokens import Resource
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arcgateway.proxy import bypasses, complete

HOSTS = [name.replace("*", "some") for name in THROUGH_PROXY]
PARTS = sorted({name[at:] for name in THROUGH_PROXY for at, char in enumerate(name) if at and char in ".mgc"})
ENTRIES = st.one_of(
    st.sampled_from(PARTS).flatmap(lambda host: st.sampled_from([host, f".{host}", f"*{host}", f"{host}:443"])),
    st.from_regex(r"\.?[a-z]{1,4}(\.[a-z]{1,4}){0,2}", fullmatch=True),
    st.ip_addresses().map(str),
    st.builds(lambda ip, bits: f"{ip}/{bits}", st.ip_addresses(v=4), st.integers(0, 33)),
    st.builds(lambda ip, bits: f"{ip}/{bits}", st.ip_addresses(v=6), st.integers(0, 129)),
    st.text(max_size=6),
)
RANGES = st.lists(
    st.builds(lambda ip, bits: f"{ip}/{bits}", st.ip_addresses(v=4), st.integers(0, 3)), min_size=1, max_size=10
)


@given(ENTRIES, st.sampled_from(Asked))
@settings(max_examples=400, deadline=None)
@example("*.com", Asked.WHOLE)
@example(".azure.com:443", Asked.PROJECT)
def test_no_entry_that_is_let_pass_sends_a_required_host_round_the_proxy(entry: str, asked: Asked) -> None:
    found = judge(entry, (), asked)
    if found is None or found.grade not in ("endpoint", "all", "dead"):
        assert not any(bypasses(host, 443, (entry,)) for host in HOSTS)


@given(st.lists(ENTRIES, max_size=6), st.lists(st.ip_addresses(v=4).map(lambda ip: f"{ip}/16"), max_size=2))
@settings(max_examples=200, deadline=None)
def test_what_is_completed_lacks_nothing(given: list[str], service_ranges: list[str]) -> None:
    try:
        whole = complete(given, service_ranges=service_ranges)
    except ValueError:
        return
    assert lacking(whole, service_ranges) == []


@given(RANGES, st.ip_addresses(v=4).filter(lambda ip: ip.is_global))
@settings(max_examples=300, deadline=None)
def test_a_range_over_all_addresses_holds_any_public_one(ranges: list[str], address: ipaddress.IPv4Address) -> None:
    held = any(address in ipaddress.ip_network(text, strict=False) for text in ranges)
    multicast = address in ipaddress.ip_network("224.0.0.0/3")
    assert held or multicast or not every_address(ranges)


def test_the_cost_of_a_range_grows_linearly() -> None:
    def seconds(entries: int) -> float:
        skip = ",".join(f"host{number}.corp.com,10.{number % 256}.{number // 256}.0/24" for number in range(entries))
        resource = Resource(
            "command:local:Command", "c", "urn", {"create": f"az connectedk8s update --proxy-skip-range {skip}"}
        )
        started = time.process_time()
        assert len(findings((RULE,), resource, Settings())) == 1
        return time.process_time() - started

    assert min(seconds(8_000) for _ in range(2)) < 4 * 8 * min(seconds(1_000) for _ in range(3))
