"""What a user can set, over the engine's protocol: exemptions, options, levels, remedies; and stacks with unknowns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tls_proxy_cases
from arc_policies import settings as settings_module
from arc_policies.pack import ADVICE, POLICIES, RULES, STACK_ADVICE, policies_of
from arc_policies.reading import plain
from arc_policies.rule import OPEN, Check, Finding, Grade, Level, Remedy, Rule, StackCheck
from arc_policies.settings import (
    EXEMPTIONS,
    Exemption,
    PackSettingsError,
    Settings,
    check_pack_settings,
    choice,
    pack_settings,
    schema_of,
)
from arc_policies.tokens import Subject
from policy_cases import UNKNOWN, corpora
from pulumi.runtime.proto import analyzer_pb2 as wire
from pulumi_policy import EnforcementLevel, Policy
from wire_calls import analyze, analyze_stack, remediate, secret, served, urn

PROXY, ENDPOINT = "arc-gateway:index:ProxySettings", "azure-native:network:PrivateEndpoint"
CANARY = "hunter2-canary"
RULE_NAME = "no-tls-terminating-proxies"
BAD = {"httpsUrl": secret(f"http://u:{CANARY}@proxy:3128"), "terminatesTls": True}


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days)).isoformat()


def exempt(resource: str, days: int = 30, reason: str = "ticket 4711") -> dict[str, Any]:
    return {"resource": resource, "reason": reason, "expires": day(days)}


def serving(*exemptions: dict[str, Any], policy: str = RULE_NAME, **rest: Any) -> Any:
    return served(policies_of(RULES), {policy: {"exemptions": list(exemptions), **rest}})


@pytest.mark.parametrize(
    "resource", ["north", "n*", "*orth", "n*t*h", urn(PROXY), "urn:pulumi:*::north", "urn:*ProxySettings::n*"]
)
def test_an_exemption_silences_its_rule_and_is_reported_once(resource: str) -> None:
    server = serving(exempt(resource))
    assert analyze(PROXY, BAD, server) == []
    assert analyze(PROXY, BAD, server) == [], "an update asks about a resource again"
    (said,) = analyze_stack([(PROXY, "north", BAD)], server)
    assert (said.policyName, said.enforcementLevel) == (STACK_ADVICE, wire.ADVISORY)
    assert said.urn == urn(PROXY)
    assert f"north ({PROXY}) is exempt from {RULE_NAME} until {day(30)}: ticket 4711" in said.message
    assert CANARY not in said.message
    assert analyze_stack([], server) == [], "an exemption that no longer counts is not told again"


@pytest.mark.parametrize(
    "resource",
    [
        "south",
        "nort",
        "NORTH",
        "nort?",
        "[n]orth",
        "*dev*",
        "*Proxy*",
        "u*",
        urn(PROXY, "south"),
        "urn:pulumi:prod::*n*",
    ],
)
def test_an_exemption_is_for_the_named_resource_only(resource: str) -> None:
    server = serving(exempt(resource))
    (found,) = analyze(PROXY, BAD, server)
    assert found.policyName == RULE_NAME
    assert "exemption" not in found.message
    assert analyze_stack([], server) == []


def test_an_exemption_is_of_one_policy() -> None:
    (found,) = analyze(PROXY, BAD, serving(exempt("north"), policy="no-private-endpoints"))
    assert found.policyName == RULE_NAME


def test_the_last_day_still_counts() -> None:
    assert analyze(PROXY, BAD, serving(exempt("north", days=0))) == []


def test_an_expired_exemption_refuses_and_says_so() -> None:
    (found,) = analyze(PROXY, BAD, serving(exempt("north", days=-1)))
    assert found.enforcementLevel == wire.MANDATORY
    assert found.message.endswith(f"Its exemption expired: {day(-1)} was the last day.")


def test_a_date_that_no_calendar_has_refuses_and_says_so() -> None:
    (found,) = analyze(PROXY, BAD, serving({**exempt("north"), "expires": "2099-02-30"}))
    assert found.enforcementLevel == wire.MANDATORY
    assert found.message.endswith("Its exemption does not count: '2099-02-30' is no day.")


def test_one_that_holds_counts_before_one_that_has_expired() -> None:
    assert analyze(PROXY, BAD, serving(exempt("n*", days=-1), exempt("north"), exempt("*h", days=-9))) == []


def test_two_resources_are_two_reports() -> None:
    server = serving(exempt("n*"), exempt("south", reason="other"))
    assert analyze(PROXY, BAD, server, "north") == analyze(PROXY, BAD, server, "south") == []
    assert len(analyze(PROXY, BAD, server, "east")) == 1
    assert [one.urn.rpartition("::")[2] for one in analyze_stack([], server)] == ["north", "south"]


def test_an_exemption_that_nothing_needed_is_not_reported() -> None:
    server = serving(exempt("north"))
    assert analyze(PROXY, {"httpsUrl": "http://proxy:3128"}, server) == []
    assert analyze_stack([], server) == []


@pytest.mark.parametrize("text", ["*", "**", "", " ", "urn:*", "urn:pulumi:*", "urn:pulumi:dev::p::t::*", "*:*"])
def test_an_exemption_of_everything_does_not_fit_the_schema(text: str) -> None:
    assert re.search(pattern_of("resource"), text) is None


@pytest.mark.parametrize("text", ["a", "*a*", "backup-*", urn(PROXY), "urn:*::n*", "urn:pulumi:dev::p::a$b::east"])
def test_an_exemption_of_something_fits_the_schema(text: str) -> None:
    assert re.search(pattern_of("resource"), text)


def pattern_of(key: str) -> str:
    pattern = EXEMPTIONS.schema["items"]["properties"][key]["pattern"]
    assert isinstance(pattern, str)
    return pattern


def test_a_key_that_sets_nothing_is_told() -> None:
    server = served(policies_of(RULES), {RULE_NAME: {"exemption": [exempt("north")]}})
    assert [one.policyName for one in analyze(PROXY, BAD, server)] == [RULE_NAME]
    (said,) = analyze_stack([], server)
    assert said.policyName == STACK_ADVICE
    assert f"The configuration of {RULE_NAME} holds 'exemption', which sets nothing" in said.message


@pytest.fixture
def pack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pack.toml of the test's own."""
    path = tmp_path / "pack.toml"
    monkeypatch.setattr(settings_module, "PACK_FILE", path)
    pack_settings.cache_clear()
    yield path
    pack_settings.cache_clear()


def test_a_policys_configuration_comes_before_the_packs(pack_file: Path) -> None:
    pack_file.write_text('profile = "ga"\nscope = "arc"\n')
    policies = policies_of(RULES)
    assert analyze(ENDPOINT, {}, served(policies)) == [], "scope arc"
    (advised,) = analyze(ENDPOINT, {}, served(policies, {ADVICE: {"scope": "all"}}))
    assert (advised.policyName, advised.enforcementLevel) == (ADVICE, wire.ADVISORY)
    assert "profile ga" in advised.message
    own = {"no-private-endpoints": {"scope": "all", "profile": "preview"}}
    (refused,) = analyze(ENDPOINT, {}, served(policies, own))
    assert refused.enforcementLevel == wire.MANDATORY
    assert "profile preview" in refused.message


def test_the_packs_settings_are_the_schemas_defaults(pack_file: Path) -> None:
    pack_file.write_text(
        'profile = "ga"\nexemptHosts = ["*.gw.arc.azure.com"]\n'
        '[[exemptions]]\nresource = "north"\nreason = "r"\nexpires = 2099-01-31\n'
    )
    rule = next(rule for rule in RULES if rule.name == RULE_NAME)
    schema = schema_of([settings_module.PROFILE, EXEMPTIONS, *rule.options], pack_settings())
    assert schema["profile"]["default"] == "ga"
    assert schema["exemptHosts"]["default"] == ["*.gw.arc.azure.com"]
    assert schema["exemptions"]["default"] == [{"resource": "north", "reason": "r", "expires": "2099-01-31"}]
    assert analyze(PROXY, BAD, served(policies_of(RULES))) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('profle = "ga"', r"pack\.toml: 'profle' sets nothing; the keys are .*exemptions.*profile"),
        ("profile = ga", r"pack\.toml: "),
        ("profile", r"pack\.toml: "),
    ],
)
def test_what_pack_toml_cannot_set_is_refused(pack_file: Path, text: str, says: str) -> None:
    pack_file.write_text(text)
    with pytest.raises(PackSettingsError, match=says):
        check_pack_settings([settings_module.PROFILE, EXEMPTIONS])


def test_an_empty_pack_toml_leaves_the_defaults(pack_file: Path) -> None:
    pack_file.write_text("")
    check_pack_settings([])
    assert [one.enforcementLevel for one in analyze(ENDPOINT, {}, served(policies_of(RULES)))] == [wire.MANDATORY]


# Rules of the tests' own: what the frame does for any rule.

THING, OTHER = "null:index:Thing", "null:index:Other"
COLOUR = choice("colour", "what to refuse", "red", "blue")
DAY = date(2026, 8, 20)
GRADES = {
    "bad": Grade("bad", Level.MANDATORY, Level.ADVISORY, "test", DAY),
    "odd": Grade("odd", Level.ADVISORY, Level.ADVISORY, "test", DAY),
}


def of_thing(subject: Subject, settings: Settings) -> Iterator[Finding]:
    colour = subject.node.get("colour")
    if colour.open:
        yield Finding(OPEN, colour.path, "has a colour that is not known yet", "Wait.")
    elif colour.text == settings.get(COLOUR):
        yield Finding("bad", colour.path, "has the wrong colour", "Paint it.")
    if subject.node.get("odd").on:
        yield Finding("odd", ("odd",), "is odd", "Look.")


def of_things(subjects: Sequence[Subject], _: Settings) -> Iterator[tuple[Subject, Finding]]:
    known = [subject for subject in subjects if not subject.node.get("place").open]
    for subject in known[2:]:
        yield subject, Finding("bad", ("place",), "is one thing too many", "Remove it.")
    for subject in subjects:
        if subject.node.get("place").open:
            yield subject, Finding(OPEN, ("place",), "is at a place that is not known yet", "Wait.")


def paint(token: str, props: MutableMapping[str, Any], settings: Settings) -> bool:
    known = plain(props)
    if not isinstance(known, dict) or known.get("colour") != settings.get(COLOUR):
        return False
    props["colour"] = "white"
    return True


def rule(**changes: Any) -> Rule:
    return Rule(
        **{
            "name": "no-colours",
            "description": "No colours.",
            "why": "They fade.",
            "grades": GRADES,
            "checks": (Check("thing", "things", of_thing, frozenset({"null:index:thing"}), grades=("bad", "odd")),),
            "stack_checks": (StackCheck("things", "things", of_things, frozenset({"null:index:thing"})),),
            "remedies": (Remedy("paints it", paint, frozenset({"null:index:thing"})),),
            "options": (COLOUR,),
            **changes,
        }
    )


ADVISORY_GRADES = {name: Grade(name, Level.ADVISORY, Level.ADVISORY, "test", DAY) for name in GRADES}


def levels(found: list[Any]) -> list[tuple[str, int, int]]:
    return [(one.policyName, one.enforcementLevel, one.severity) for one in found]


def test_each_finding_comes_from_the_policy_of_its_level() -> None:
    server = served(policies_of((rule(),)))
    assert levels(analyze(THING, {"colour": "red", "odd": True}, server)) == [
        ("no-colours", wire.MANDATORY, wire.POLICY_SEVERITY_HIGH),
        (ADVICE, wire.ADVISORY, wire.POLICY_SEVERITY_LOW),
    ]
    assert analyze(OTHER, {"colour": "red"}, server) == []


def test_an_advisory_rule_is_one_policy_of_its_own() -> None:
    policies = policies_of((rule(grades=ADVISORY_GRADES),))
    found = analyze(THING, {"colour": "red", "odd": True}, served(policies))
    assert levels(found) == [("no-colours", wire.ADVISORY, wire.POLICY_SEVERITY_LOW)] * 2
    assert [policy.name for policy in policies] == ["no-colours", "no-colours-in-stack", ADVICE, STACK_ADVICE]


def test_a_rule_of_stacks_alone_keeps_its_name() -> None:
    assert [policy.name for policy in policies_of((rule(checks=()),))] == ["no-colours", ADVICE, STACK_ADVICE]


def test_a_profile_changes_the_level() -> None:
    ga = {name: {"profile": "ga"} for name in ("no-colours", ADVICE)}
    found = analyze(THING, {"colour": "red"}, served(policies_of((rule(),)), ga))
    assert levels(found) == [(ADVICE, wire.ADVISORY, wire.POLICY_SEVERITY_LOW)]


@pytest.mark.parametrize("level", [EnforcementLevel.ADVISORY, EnforcementLevel.DISABLED])
def test_the_configured_level_is_the_policys(level: EnforcementLevel) -> None:
    found = analyze(THING, {"colour": "red"}, served(policies_of((rule(),)), levels={"no-colours": level}))
    assert [one.enforcementLevel for one in found] == ([wire.ADVISORY] if level is EnforcementLevel.ADVISORY else [])


def test_unknowns_end_no_policy_of_a_stack() -> None:
    everything = [
        (THING, "a", {"place": UNKNOWN, "colour": UNKNOWN}),
        (OTHER, "b", {"place": UNKNOWN, "deep": [{"x": UNKNOWN}]}),
        ("command:local:Command", "c", {"create": UNKNOWN, "environment": {"X": UNKNOWN}}),
        *((THING, name, {"place": "here", "rest": [UNKNOWN]}) for name in ("d", "e", "f")),
    ]
    found = analyze_stack(everything, served(policies_of((rule(),))))
    assert [one.message for one in found if "can't run policy" in one.message] == []
    assert [(one.policyName, one.urn.rpartition("::")[2]) for one in found] == [
        ("no-colours-in-stack", "f"),
        (STACK_ADVICE, "a"),
    ]


def test_unknowns_end_no_policy_of_the_pack() -> None:
    """A stack of all types that rules know, with nothing known of any."""
    kinds = [PROXY, ENDPOINT, tls_proxy_cases.RULES, "azure-native:hybridcompute:Gateway", "command:remote:Command"]
    props = {"httpsUrl": UNKNOWN, "create": UNKNOWN, "ruleCollections": UNKNOWN, "tags": UNKNOWN, "name": UNKNOWN}
    server = served(policies_of(RULES))
    said = analyze_stack([(kind, "x", props) for kind in kinds], server)
    said += [one for kind in kinds for one in analyze(kind, props, server)]
    assert [one.message for one in said if "can't run" in one.message] == []


def test_exemptions_of_stack_rules_are_reported_in_the_same_run() -> None:
    server = served(policies_of((rule(),)), {"no-colours-in-stack": {"exemptions": [exempt("f")]}})
    found = analyze_stack([(THING, name, {"place": "here"}) for name in "def"], server)
    assert [one.policyName for one in found] == [STACK_ADVICE]
    assert "f (null:index:Thing) is exempt from no-colours until" in found[0].message


def remedying(change: Callable[..., bool] = paint, **config: Any) -> Any:
    policies = policies_of((rule(remedies=(Remedy("paints it", change, frozenset({"null:index:thing"})),)),))
    return served(policies, {"no-colours": config}, levels={"no-colours": EnforcementLevel.REMEDIATE})


def test_a_remedy_changes_what_came_and_secrets_stay_secret() -> None:
    props = {
        "colour": "red",
        "open": UNKNOWN,
        "password": secret(CANARY),
        "deep": {"list": [1.0, {"key": secret({"token": CANARY})}]},
    }
    (changed,) = remediate(THING, props, remedying())
    assert changed == {**props, "colour": "white"}


def test_a_secret_that_a_remedy_changes_stays_secret() -> None:
    (changed,) = remediate(THING, {"colour": secret("red")}, remedying())
    assert changed == {"colour": secret("white")}


@pytest.mark.parametrize(
    ("resource_type", "props"), [(THING, {"colour": "green"}), (THING, {"colour": UNKNOWN}), (OTHER, {"colour": "red"})]
)
def test_nothing_is_remedied_that_is_not_wrong(resource_type: str, props: dict[str, Any]) -> None:
    assert remediate(resource_type, props, remedying()) == []


def test_a_remedy_follows_the_options() -> None:
    assert remediate(THING, {"colour": "red"}, remedying(colour="blue")) == []
    assert remediate(THING, {"colour": "blue"}, remedying(colour="blue")) == [{"colour": "white"}]


def test_exempt_resources_are_not_remedied_and_reported() -> None:
    server = remedying(exemptions=[exempt("north")])
    assert remediate(THING, {"colour": "red"}, server) == []
    assert analyze(THING, {"colour": "red"}, server) == []
    (said,) = analyze_stack([], server)
    assert "exempt from no-colours" in said.message
    assert len(remediate(THING, {"colour": "red"}, remedying(exemptions=[exempt("north", -1)]))) == 1


def test_what_a_remedy_could_not_mend_is_refused() -> None:
    server = remedying(lambda *_: False)
    assert remediate(THING, {"colour": "red"}, server) == []
    assert [one.enforcementLevel for one in analyze(THING, {"colour": "red"}, server)] == [wire.MANDATORY]


def test_without_the_level_nothing_is_remedied() -> None:
    assert remediate(THING, {"colour": "red"}, served(policies_of((rule(),)))) == []


REMEDIED = [one for one in RULES if one.remedies]
CASES = {
    name: [case for kind in ("REFUSED", "ADVISED", "PASSED") for case in getattr(corpus, kind, [])]
    for name, corpus in corpora().items()
}


def covered(value: Any) -> Any:
    """The same with every text a secret of its own."""
    if isinstance(value, dict):
        return {key: covered(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [covered(item) for item in value]
    return secret(value) if isinstance(value, str) else value


def clear_texts(value: Any) -> set[str]:
    """All texts that are not within a secret."""
    if isinstance(value, dict):
        return set() if is_secret(value) else set().union(*map(clear_texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(clear_texts, value))
    return {value} if isinstance(value, str) else set()


def is_secret(value: dict[str, Any]) -> bool:
    return set(value) == set(secret(None))


@pytest.mark.parametrize("remedied", REMEDIED, ids=lambda one: one.name)
def test_no_remedy_uncovers_a_secret(remedied: Rule) -> None:
    policies = policies_of((remedied,))
    for case in CASES[remedied.name]:
        level = {remedied.name: EnforcementLevel.REMEDIATE}
        server = served(policies, {remedied.name: case.config}, level)
        texts = clear_texts(plain(case.props))
        for props in (covered(case.props), {key: secret(value) for key, value in case.props.items()}):
            for changed in remediate(case.type, props, server):
                assert clear_texts(changed) & texts == set(), case.name


@pytest.mark.parametrize("remedied", REMEDIED, ids=lambda one: one.name)
def test_a_remedy_leaves_nothing_to_remedy(remedied: Rule) -> None:
    policies = policies_of((remedied,))
    for case in CASES[remedied.name]:
        server = served(policies, {remedied.name: case.config}, {remedied.name: EnforcementLevel.REMEDIATE})
        for changed in remediate(case.type, case.props, server)[-1:]:
            assert remediate(case.type, changed, server) == [], case.name


def test_a_clear_day_and_a_pattern_are_read() -> None:
    one = Exemption("a.b*", "r", "2026-01-31")
    assert one.covers("a.bc", "urn") and not one.covers("aXbc", "urn")
    assert one.holds(date(2026, 1, 31)) and not one.holds(date(2026, 2, 1))


def test_every_policy_says_where_to_read_more() -> None:
    def fits(policy: Policy) -> bool:
        return bool(policy.description and policy.url and policy.url.startswith("docs/policies.md#"))

    assert [policy.name for policy in POLICIES if not fits(policy)] == []
