"""Fleets: many clusters in stacks of modest size, described in one file, deployed ring by ring."""
