"""docs/policies.md, written from the rules: `python -m arc_policies.documentation` prints it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .pack import ADVICE, RULES, STACK_ADVICE, names_of
from .rule import Check, Level, Rule, StackCheck
from .settings import COMMON, Option

_INTRODUCTION = f"""\
# The policy pack

`policy/` refuses what breaks Kubernetes clusters behind an Azure Arc gateway, before anything is deployed:

    pulumi preview --policy-pack policy
    pulumi up --policy-pack policy

It judges programs in every Pulumi language, for it sees their resources and not their text. This page is written from
the rules (`make policy-docs`).

A **mandatory** finding stops the deployment; an **advisory** one is printed and stops nothing. A message names the
resource and the property, says what is wrong, under which rule and profile, why it matters and how to mend it. It never
quotes a value, which might be secret.

## Profiles

The published limits have moved, so each rule is dated data with a level per profile.

| profile | limits |
| --- | --- |
| `preview` (default) | as first published: whatever is marked mandatory below is refused |
| `ga` | as published since 2026-02-17: private endpoints, ExpressRoute and VPN are refused only where they touch Arc; \
TLS may be opened where the gateway's host names are exempt |

## Configuration

`policy/pack.toml` sets options for the whole pack, one line each: `profile = "ga"`. `--policy-pack-config FILE`, or the
configuration of a published pack, sets them and the level (`advisory`, `mandatory`, `remediate`, `disabled`) for one
policy:

```json
{{
  "no-private-endpoints": {{
    "profile": "ga",
    "exemptions": [{{"resource": "backup-*", "reason": "ticket 4711", "expires": "2027-01-31"}}]
  }},
  "{ADVICE}": "disabled"
}}
```

What a mandatory rule only advises against is said by `{ADVICE}` (and, for the whole stack, `{STACK_ADVICE}`), since a
Pulumi policy speaks at one level: whoever sets an option for one policy should set it there too.

The `resource` of an exemption is a resource's name, or its URN where it begins with `urn:`; `*` stands for any text,
but not for a whole name. An exemption that counted is reported by `{STACK_ADVICE}`, with its reason and last day; after
that day the rule speaks again and says so. The engine refuses an exemption without a reason, or with a date that no
calendar has. Of a key that sets nothing, such as a misspelt one, `{STACK_ADVICE}` tells. Pulumi's own exceptions
(`pulumi policy exception`, or `exceptions` in a configuration file of version 2) work as well; they name whole URNs and
the policy.

A rule with a **remedy** makes it where its level is `remediate`, and Pulumi lists what it changed; what is secret stays
secret, and exempt resources are left alone.

`destroy`, `refresh` and `import` take no policy pack; `pulumi policy analyze --stack NAME --policy-pack policy` judges
what is already deployed. `pulumi preview --json` leaves the messages of policies out; with
`PULUMI_ENABLE_STREAMING_JSON_PREVIEW=1` they are `policyEvent` records.

`make policy-bundle` writes `dist/policy`, a folder that needs nothing else but pinned packages. Within it,
`pulumi install` makes its environment, and `pulumi policy publish ORGANISATION` takes it as an organisation's pack; it
also works from any other place with `--policy-pack`.
"""

_OPEN = f"""\
## {ADVICE}

The advisory findings of all mandatory rules. In a preview some values are not known yet: the known ones are judged, and
this policy says what was left open (a value, a command, a template that lies elsewhere). The update judges these again,
before the resource is made.

## {STACK_ADVICE}

Advisory findings about the stack as a whole, and the exemptions that counted.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, _options(COMMON), "", *(_section(rule) for rule in RULES), _OPEN]).rstrip() + "\n"


def _section(rule: Rule) -> str:
    parts = [
        f"## {rule.name}",
        f"{rule.description} {rule.why}",
        _policies(rule),
        _table(("forms", "what is found", "preview", "ga"), _findings(rule)),
        _table(
            ("what is found", "source", "read on"),
            ((grade.meaning, grade.source, grade.checked.isoformat()) for grade in rule.grades.values()),
        ),
    ]
    if rule.options:
        parts.append(_options(rule.options))
    if rule.remedies:
        parts.append("Remedy: " + "; ".join(remedy.does for remedy in rule.remedies) + ".")
    if rule.checks and rule.stack_checks:
        parts.append(
            f"## {rule.name}-in-stack\n\nWhat `{rule.name}` sees over the whole stack, as a policy of its own."
        )
    return "\n\n".join(parts) + "\n"


def _policies(rule: Rule) -> str:
    names = " and ".join(f"`{name}`" for name in names_of(rule))
    if rule.advisory:
        return f"Spoken by {names}; it only ever advises."
    also = [advice for advice, checks in ((ADVICE, rule.checks), (STACK_ADVICE, rule.stack_checks)) if checks]
    return f"Refused by {names}; advice is spoken by {' and '.join(f'`{name}`' for name in also)}."


def _findings(rule: Rule) -> Iterator[tuple[str, ...]]:
    checks: Sequence[Check | StackCheck] = (*rule.checks, *rule.stack_checks)
    for check in checks:
        forms = check.covers if isinstance(check, Check) else f"{check.covers} (seen over the whole stack)"
        for name in check.grades:
            grade = rule.grade(name)
            yield forms, grade.meaning, _level(grade.preview), _level(grade.ga)
            forms = ""


def _level(level: Level) -> str:
    return f"**{level.value}**" if level is Level.MANDATORY else level.value


def _options(options: Iterable[Option[Any]]) -> str:
    rows = ((f"`{option.name}`", option.meaning, f"`{json.dumps(option.default)}`") for option in options)
    return _table(("option", "meaning", "default"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page())
