"""Serves the policy pack to Pulumi's engine."""

from __future__ import annotations

from arc_policies import serving
from arc_policies.pack import POLICIES
from pulumi_policy import PolicyPack

if __name__ == "__main__":
    serving.install()
    PolicyPack("arc-gateway", POLICIES)
