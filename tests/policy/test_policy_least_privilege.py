"""What least-privilege costs on large roles."""

from __future__ import annotations

import time

import pytest
from arc_policies.least_privilege import RULE
from arc_policies.rule import findings
from arc_policies.settings import Settings
from arc_policies.tokens import Resource

MANY = 20_000


@pytest.mark.parametrize("taken", ["Microsoft.P{}/*", "Microsoft.P{}/x/*", "Microsoft.P{}/x/write"])
def test_large_roles_are_judged_in_time(taken: str) -> None:
    actions = [f"Microsoft.P{number}/*" for number in range(MANY)]
    permission = {"actions": actions, "notActions": [taken.format(number) for number in range(MANY)]}
    role = {"roleName": "arc gateway", "permissions": [permission], "assignableScopes": ["/"] * MANY}
    started = time.process_time()
    found = findings((RULE,), Resource("azure-native:authorization:RoleDefinition", "r", "urn", role), Settings())
    assert time.process_time() - started < 10
    assert len(found) == MANY + (0 if taken == "Microsoft.P{}/*" else MANY)
