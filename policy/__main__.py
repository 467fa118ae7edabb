"""Serves the policy pack to Pulumi's engine."""

from __future__ import annotations

import sys

from arc_policies.settings import PackSettingsError
from pulumi_policy import PolicyPack

if __name__ == "__main__":
    try:
        from arc_policies import pack, serving
    except PackSettingsError as error:
        sys.exit(f"policy pack arc-gateway: {error}")
    serving.install()
    PolicyPack("arc-gateway", pack.POLICIES)
