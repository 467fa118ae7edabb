"""The domain of Arc gateway stacks, free of Pulumi: endpoints, proxies, preflight, Azure and clusters."""

from __future__ import annotations

__version__ = "0.1.0"
