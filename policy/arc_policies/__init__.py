"""The rules of the policy pack: pure functions from a resource's type and inputs to findings, and their tables."""
