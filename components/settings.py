"""The stack's configuration, typed and checked as a whole before any resource is registered.

What it may say is in `arcgateway/stack_settings.py`.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

import pulumi
from pydantic import ValidationError

from arcgateway.stack_settings import KEYS, NAMESPACE, NO_MAP, Settings, contradictions, nearest, problem


class SettingsError(pulumi.RunError):
    """All that is wrong with the configuration, each with its key and the mend."""


def load(config: pulumi.Config) -> Settings:
    """Read and check the stack's configuration.

    Raises:
        SettingsError: names every key that is wrong, and what to do about each.
    """
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    secret_keys = set[str]()
    for key, text in _values(config).items():
        if key not in KEYS:
            problems[key] = f"is not a setting: {nearest(key, KEYS)}"
            continue
        if pulumi.runtime.config.is_config_secret(f"{NAMESPACE}:{key}"):
            secret_keys.add(key)
        try:
            found[key] = text if key == "drift" else json.loads(text)
        except ValueError:
            problems[key] = NO_MAP
    try:
        settings = Settings(**found).with_secrets(secret_keys)
    except ValidationError as error:
        for detail in error.errors():
            path, text = problem(detail)
            problems.setdefault(path, text)
    for path, text in contradictions(found, secret_keys):
        problems.setdefault(path, text)
    if problems:
        lines = "".join(f"\n  {NAMESPACE}:{path}: {text}" for path, text in problems.items())
        raise SettingsError(f"the configuration of this stack cannot be used, and nothing was changed:{lines}")
    return settings


def _values(config: pulumi.Config) -> dict[str, str]:
    """All keys in the namespace, known or not, as the engine hands them over."""
    prefix = f"{config.name}:"
    everything = cast(Mapping[str, str], pulumi.runtime.config.CONFIG.get())
    return {key.removeprefix(prefix): value for key, value in everything.items() if key.startswith(prefix)}
