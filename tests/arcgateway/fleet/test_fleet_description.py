"""A fleet's file: every mistake is told, all at once, with its line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fleet_files import SUBSCRIPTIONS, fleet, loaded, problems, written

from arcgateway.errors import Failure
from arcgateway.fleet.description import Fleet, FleetError, Gate

#: A file of which every mistake is told at the line that a comment marks: the key, and words of the text.
MISTAKES = """\
name: Retail-Shops                      # name: small letters and digits
organisation: acme                      # organisation: did you mean organization?
subscriptions: [11111111-1111-1111-1111-111111111111]
rings:
  - name: canary
    gate:
      connected: 95                     # rings[0].gate.connected: less than or equal to 1
      pause: soon                       # rings[0].gate.pause: give one like 90s
  - {name: canary}                      # rings[1].name: another ring on line 5
  - {name: gateway-x}                   # rings[2].name: choose another name
gateways:
  main: {resourceGroup: g, location: eastus, regions: [eastus, moon]}   # gateways.main.regions[1]: no region
  Upper: {id: /subscriptions/x}         # gateways.Upper: small letters
  same:                                 # gateways.same: the same gateway as gateways.main
    name: MAIN
    resourceGroup: G
    location: eastus
proxies:
  open: {httpsUrl: "http://u:canary-secret@h:3128"}                     # proxies.open.httpsUrl: in plain text
  plain:
    httpsUrl: proxy.corp                # proxies.plain.httpsUrl: no scheme
    password: canary-secret             # proxies.plain.password: fromEnv
  taken:
    httpsUrl: {secure: AAABBB}          # proxies.taken.httpsUrl: encrypted for one stack
defaults:
  subscriptionId: 11111111-1111-1111-1111-111111111111
  resourceGroup: shops
  region: eastus                        # defaults.region: did you mean location?
  name: shop                            # defaults.name: differs from cluster to cluster
  colour: red                           # defaults.colour: is not a setting of a cluster
clusters:
  c1: {ring: canary, location: eastus}
  c2: {ring: canry, location: eastus}   # clusters.c2.ring: did you mean canary?
  c3: {ring: canary, location: eastsu}  # clusters.c3.location: did you mean eastus?
  c4: {ring: canary}                    # clusters.c4.location: is missing: add it here, or in `defaults`
  c5: {ring: [canary, broad], location: eastus}                         # clusters.c5.ring: one text, and not a list
  c6: {ring: canary, location: eastus, proxy: opem}                     # clusters.c6.proxy: did you mean open?
  c7: {ring: canary, location: eastus, gateway: mian}                   # clusters.c7.gateway: did you mean main?
  c8:                                   # clusters.c8: has to be a map of settings
  c9: {ring: canary, location: eastus, stack: 0}                        # clusters.c9.stack: greater than or equal to 1
  d1: {ring: canary, location: eastus, kubeContext: c1}                 # clusters.d1.kubeContext: of clusters.c1 too
  d2: {ring: canary, location: eastus, name: C1}                        # clusters.d2: is the same as clusters.c1
  d3: {ring: gateway-x, location: eastus, name: c1, resourceGroup: Shops}  # clusters.d3: is in two rings
  d4: {ring: canary, location: eastus, onUnreachable: cry}              # clusters.d4.onUnreachable: 'fail', 'forget'
  d5: {ring: canary, location: eastus, existing: true, tags: {a: b}}    # clusters.d5.tags: of an existing cluster
  d6:
    ring: canary
    location: eastus
    configurationProtectedSettings:
      app:
        key: canary-secret              # clusters.d6.configurationProtectedSettings.app.key: in plain text
  e1: {ring: canary, location: eastus}
  e1: {ring: gateway-x, location: eastus}                               # clusters.e1: in two rings, canary on line 52
  e1: {ring: canary, location: eastus}                                  # clusters.e1: is written on line 52 too
  "two words": {ring: canary, location: eastus}                         # clusters.two words: give it a `name`
allowlist:
  scenarios: [nope]                     # allowlist.scenarios: unknown nope
  firewallPolicyId: x                   # allowlist.firewallPolicyId: belongs to one stack
preflight: {genuineRoots: [none.pem]}   # preflight.genuineRoots[0]: no file that can be read
drift: perhaps                          # drift: has to be 'require', 'warn' or 'off'
"""


def marked(text: str) -> list[tuple[int, str, str]]:
    """Line, key and words of each mistake that a comment marks."""
    lines = enumerate(text.splitlines(), 1)
    comments = [(number, line.partition(" # ")[2].strip()) for number, line in lines]
    return [(number, *comment.split(": ", 1)) for number, comment in comments if comment]  # type: ignore[misc]


def test_every_mistake_is_told_at_its_line(tmp_path: Path) -> None:
    found = [(one.line, one.key, one.text) for one in problems(tmp_path, MISTAKES)]
    for line, key, words in marked(MISTAKES):
        assert any(at == line and path == key and words in text for at, path, text in found), (line, key, words, found)
    expected = {(line, key) for line, key, _ in marked(MISTAKES)}
    assert [one[:2] for one in found if one[:2] not in expected] == [(13, "gateways.Upper.id")]


def test_the_message_names_file_and_lines_and_no_secret(tmp_path: Path) -> None:
    with pytest.raises(FleetError) as caught:
        loaded(tmp_path, MISTAKES)
    said = str(caught.value)
    assert f"\n  {tmp_path / 'fleet.yaml'}:2: organisation: " in said
    assert "nothing was started" in said
    assert "canary-secret" not in said
    lines = [one.line for one in caught.value.problems]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "is empty"),
        ("- a\n- b\n", 1, "has to be a map"),
        ("name: retail\nrings: [\n", 3, "is no YAML"),
        ("name: retail\n\tx: 1\n", 2, "is no YAML"),
        ("name: a\nclusters:\n  {a: 1}: {}\n", 3, "is no YAML"),
        ("name: a\nrings: !python/object:os.system x\n", 2, "is no YAML"),
        ("name: a\n---\nname: b\n", 2, "is no YAML"),
        ("name: a\nx: \x01\n", 2, "is no YAML"),
        ("[" * 3000, 1, "is no YAML"),
        ("name: &a {b: *a}\n", 1, "has to be one text"),
        ("name: " + "9" * 5000 + "\n", 1, "is no YAML"),
    ],
    ids=["empty", "list", "unclosed", "tab", "map-as-key", "tag", "two", "control", "deep", "recursive", "number"],
)
def test_what_is_no_fleet_is_told_with_its_line(tmp_path: Path, content: str, line: int, words: str) -> None:
    found = problems(tmp_path, content)
    assert (found[0].line, words in f"{found[0].text}") == (line, True), found


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"none\.yaml cannot be read \(No such file"):
        Fleet.load(tmp_path / "none.yaml", None)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(Failure, match="no UTF-8"):
        Fleet.load(tmp_path / "latin.yaml", None)


def test_a_byte_order_mark_and_windows_line_ends_do_not_shift_lines(tmp_path: Path) -> None:
    text = "\ufeff" + MISTAKES.replace("\n", "\r\n")
    path = tmp_path / "fleet.yaml"
    path.write_bytes(text.encode())
    with pytest.raises(FleetError) as caught:
        Fleet.load(path, None)
    assert [(one.line, one.key) for one in caught.value.problems] == [
        (one.line, one.key) for one in problems(tmp_path, MISTAKES)
    ]


def test_keys_are_texts_as_they_are_written(tmp_path: Path) -> None:
    clusters = "  007: {}\n  on: {}\n  2026-01-01: {}\n  1.10: {}\n"
    text = (
        written(tmp_path, fleet({}, clustersPerStack=9)).read_text().replace("clusters: {}\n", f"clusters:\n{clusters}")
    )
    assert list(loaded(tmp_path, text).clusters) == ["007", "on", "2026-01-01", "1.10"]


def test_anchors_and_merges_may_be_used(tmp_path: Path) -> None:
    text = written(tmp_path, fleet({})).read_text()
    text = text.replace(
        "clusters: {}\n", "clusters:\n  a: &a {location: westeurope, proxy: x}\n  b:\n    <<: *a\n    ring: broad\n"
    )
    text += "proxies: {x: {httpUrl: 'http://proxy:1'}}\n"
    made = loaded(tmp_path, text)
    assert [(one.region, one.ring, one.proxy) for one in made.clusters.values()] == [
        ("westeurope", "canary", "x"),
        ("westeurope", "broad", "x"),
    ]


def test_a_mistake_in_the_defaults_is_told_once_and_there(tmp_path: Path) -> None:
    clusters = {f"shop-{number}": {} for number in range(40)}
    content = fleet(clusters, clustersPerStack=50)
    content["defaults"] |= {"location": "nowhere", "proxy": "none", "onboardingTimeout": "long"}
    lines = written(tmp_path, content).read_text().splitlines()
    found = problems(tmp_path, content)
    assert sorted(one.key for one in found) == ["defaults.location", "defaults.onboardingTimeout", "defaults.proxy"]
    assert all(one.key.partition(".")[2] in lines[one.line - 1] for one in found)


def test_a_default_goes_to_the_clusters_that_know_it(tmp_path: Path) -> None:
    by_id = f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c"
    content = fleet({"a": {}, "b": {"existing": True}, "c": {"clusterId": by_id}})
    content["defaults"] |= {"tags": {"team": "net"}, "egressPolicy": True}
    made = loaded(tmp_path, content).clusters
    assert [("tags" in one.config, one.config["egressPolicy"]) for one in made.values()] == [
        (True, True),
        (False, True),
        (False, True),
    ]
    assert "resourceGroup" not in made["c"].config


@pytest.mark.parametrize(
    ("clusters", "changes", "key", "words"),
    [
        (
            {f"c{n}": {} for n in range(4)},
            {},
            "clusters.c3",
            "takes 3 clusters, and 4 are in it: `arcgateway fleet assign`",
        ),
        (
            {f"c{n}": {} for n in range(1001)},
            {"clustersPerStack": 1000},
            "clusters.c1000",
            "carries 1,000 clusters of a region, and 1,001 of eastus use it",
        ),
        (
            {"a": {}, "b": {"gateway": "other"}},
            {
                "gateways": {
                    name: {"resourceGroup": "g", "location": "eastus", "regions": ["eastus"]}
                    for name in ("main", "other")
                }
            },
            "clusters.b",
            "uses the gateway other, and stack 1 of ring canary in eastus uses main (clusters.a)",
        ),
        (
            {"a": {}},
            {"gateways": {f"g{n}": {"resourceGroup": "g", "location": "eastus"} for n in range(6)}},
            "gateways.g5",
            "one gateway too many: the subscription",
        ),
        ({"a": {}}, {"subscriptions": []}, "gateways.main.subscriptionId", "is missing"),
        (
            {"a": {"location": "japaneast"}},
            {"gateways": {"main": {"resourceGroup": "g", "location": "eastus", "regions": ["eastus"]}}},
            "clusters.a",
            "no gateway serves japaneast",
        ),
        ({"a": {}}, {"gateways": {}}, "gateways", "at least 1"),
        ({"a": {}}, {"rings": []}, "rings", "at least 1"),
    ],
    ids=["stack", "capacity", "two-gateways", "six", "no-subscription", "unserved", "no-gateway", "no-ring"],
)
def test_limits_are_looked_at(
    tmp_path: Path, clusters: Mapping[str, Any], changes: Mapping[str, Any], key: str, words: str
) -> None:
    found = problems(tmp_path, fleet(clusters, **changes))
    assert any(one.key == key and words in one.text for one in found), found


def test_existing_gateways_count_for_their_subscription(tmp_path: Path) -> None:
    group = f"/subscriptions/{SUBSCRIPTIONS[0].upper()}/resourceGroups/g/providers/Microsoft.HybridCompute"
    gateways: dict[str, Any] = {f"g{n}": {"id": f"{group}/gateways/{n}"} for n in range(5)}
    gateways["mine"] = {"resourceGroup": "g", "location": "eastus"}
    assert [one.key for one in problems(tmp_path, fleet({"a": {}}, gateways=gateways))] == ["gateways.mine"]
    gateways["mine"]["subscriptionId"] = SUBSCRIPTIONS[1]
    assert problems(tmp_path, fleet({"a": {}}, gateways=gateways)) == []


def test_a_region_that_opened_since_is_let_in(tmp_path: Path) -> None:
    content = fleet({"a": {"location": "Atlantis Central"}})
    assert [one.key for one in problems(tmp_path, content)] == ["clusters.a.location"]
    made = loaded(tmp_path, content | {"regions": ["atlantiscentral"]})
    assert made.clusters["a"].config["location"] == "atlantiscentral"


def test_contexts_and_variables_of_the_machine_are_looked_at(tmp_path: Path) -> None:
    content = fleet(
        {"a": {"proxy": "corp"}, "b": {"kubeContext": "admin@b"}, "c": {}},
        proxies={"corp": {"httpsUrl": {"fromEnv": "PROXY_URL"}}},
    )
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("contexts: [{name: a}, {name: 'admin@b'}]")
    env = {"KUBECONFIG": str(kubeconfig)}
    assert [(one.key, one.text.partition(":")[0]) for one in problems(tmp_path, content, env)] == [
        ("clusters.c.kubeContext", "there is no context 'c' in the kubeconfig"),
        ("proxies.corp.httpsUrl", "the environment has no PROXY_URL"),
    ]
    assert problems(tmp_path, content) == []
    wrong = env | {"PROXY_URL": "canary-secret"}
    (url,) = [one for one in problems(tmp_path, content, wrong) if one.key.startswith("proxies")]
    assert "canary-secret" not in url.text
    missing = problems(tmp_path, content, {"KUBECONFIG": str(tmp_path / "none"), "PROXY_URL": "http://proxy:1"})
    assert [one.key for one in missing] == ["clusters"]


def test_gates_are_read(tmp_path: Path) -> None:
    rings = [
        {"name": "canary", "gate": {"connected": 0.95, "pause": "1h30m", "preflight": False}},
        {"name": "broad"},
    ]
    made = loaded(tmp_path, fleet({"a": {}}, rings=rings)).rings
    assert [ring.gate for ring in made] == [Gate(False, 0.95, 5400), Gate(True, 1.0, 0)]


def test_ten_thousand_lines_with_fifty_mistakes_are_told_fast(tmp_path: Path) -> None:
    clusters: dict[str, Any] = {
        f"shop-{number:04}": {
            "ring": "broad",
            "stack": number // 50 + 1,
            "resourceGroup": f"group-{number}",
            "location": "westeurope",
            "distribution": "k3s",
            "proxy": "corp",
            "tags": {"site": f"site {number}"},
        }
        for number in range(1200)
    }
    wrong = [
        {"ring": "brod"}, {"location": "nowhere"}, {"proxy": "crop"}, {"kubeContext": "shop-0000"}, {"colour": "red"},
    ]  # fmt: skip
    for number in range(50):
        clusters[f"shop-{number * 20 + 1:04}"] |= wrong[number % 5]
    gateways = {name: {"resourceGroup": name, "location": "westeurope"} for name in ("one", "two")}
    for key, cluster in clusters.items():
        cluster["gateway"] = "one" if key < "shop-0600" else "two"
    content = fleet(clusters, clustersPerStack=50, gateways=gateways, proxies={"corp": {"httpUrl": "http://p:1"}})
    path = written(tmp_path, content)
    lines = path.read_text().splitlines()
    assert len(lines) > 10_000
    begun = time.process_time()
    found = problems(tmp_path, content)
    spent = time.process_time() - begun
    assert len(found) == 50
    for one in found:
        key, name = one.key.split(".")[1:3]
        assert f"  {name}: " in lines[one.line - 1]
        assert (
            f"  {key}:"
            in lines[: one.line][max(n for n, line in enumerate(lines[: one.line]) if line.startswith("  shop"))]
        )
    assert spent < 10


@pytest.mark.parametrize(
    ("clusters", "changes", "key", "words"),
    [
        ({"a": {"stack": "2"}}, {}, "clusters.a.stack", "a whole number"),
        ({"a": {"stack": True}}, {}, "clusters.a.stack", "a whole number"),
        ({"a": {}}, {"clustersPerStack": "50"}, "clustersPerStack", "a whole number"),
        ({"a": {"ring": None}}, {}, "clusters.a.ring", "is missing"),
        ({"a": {"name": 7}}, {}, "clusters.a.name", "put it in quotes"),
        ({"a": "canary"}, {}, "clusters.a", "a map of settings"),
        ({"a": {}}, {"rings": ["canary"]}, "rings[0]", "a map of settings"),
        ({"a": {}}, {"name": None}, "name", "is empty"),
        ({"a": {}}, {"regions": ["New Region"]}, "regions[0]", "like eastus"),
        ({"a": {}}, {"proxies": {"p": {"httpUrl": None}}}, "proxies.p.httpsUrl", "is missing"),
        ({"a": {}}, {"defaults": [1]}, "defaults", "has to be a map"),
    ],
    ids=["quoted", "truth", "size", "null", "number", "text", "ring", "name", "region", "proxy", "defaults"],
)
def test_values_of_a_wrong_kind_are_told(
    tmp_path: Path, clusters: Mapping[str, Any], changes: Mapping[str, Any], key: str, words: str
) -> None:
    found = problems(tmp_path, fleet(clusters, **changes))
    assert any(one.key == key and words in one.text for one in found), found


def test_a_null_takes_away_a_default(tmp_path: Path) -> None:
    content = fleet({"a": {}, "b": {"proxy": None}}, proxies={"corp": {"httpUrl": "http://proxy:1"}})
    content["defaults"]["proxy"] = "corp"
    made = loaded(tmp_path, content).clusters
    assert (made["a"].proxy, "proxy" in made["b"].config) == ("corp", False)


def test_aliases_that_multiply_are_no_bomb(tmp_path: Path) -> None:
    lines = ["x0: &x0 [a, a]"] + [f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]" for n in range(1, 60)]
    begun = time.process_time()
    found = problems(tmp_path, "\n".join(lines))
    assert sum(one.text.startswith("is not a setting of a fleet") for one in found) == 60
    assert time.process_time() - begun < 10
