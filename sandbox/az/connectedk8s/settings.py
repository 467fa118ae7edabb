"""Feature settings: what the user gave, what of it Azure may see, and the chart's values that come of it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.az.errors import AzError
from sandbox.az.helm import Values, flattened, nested

Features = dict[str, dict[str, str]]

#: The chart's values that hold protected proxy settings.
_PROXY_VALUES = {"http_proxy": "global.httpProxy", "https_proxy": "global.httpsProxy", "no_proxy": "global.noProxy"}

#: The keyword `Arc` in a skip range stands for these.
_ARC_ENDPOINTS = (".his.arc.azure.com", ".dp.kubernetesconfiguration.azure.com", ".guestconfiguration.azure.com")


@dataclass(frozen=True)
class Settings:
    """Settings by feature.

    Attributes:
        plain: what Azure stores and shows.
        protected: what stays on this machine and in the cluster, proxies among it; Azure learns the names alone.
        certificate: PEM text of `--proxy-cert`.
    """

    plain: Features
    protected: Features
    certificate: str

    @classmethod
    def given(cls, args: Namespace) -> Settings:
        """From a command line.

        Raises:
            AzError: the certificate's file is not there.
        """
        plain = {feature: dict(values) for feature, values in (args.configuration_settings or {}).items()}
        protected = {feature: dict(values) for feature, values in (args.configuration_protected_settings or {}).items()}
        certificate = ""
        if args.proxy_cert:
            if not Path(args.proxy_cert).exists():
                raise AzError(f"Proxy cert path {args.proxy_cert} does not exist. Please check the path provided")
            certificate = Path(args.proxy_cert).read_text()
        if args.container_log_path:
            plain.setdefault("logging", {"container_log_path": args.container_log_path})
        flags = {
            "https_proxy": args.proxy_https,
            "http_proxy": args.proxy_http,
            "no_proxy": _skip_range(args.proxy_skip_range),
            "proxy_cert": args.proxy_cert,
        }
        if any(flags.values()):
            plain.setdefault("proxy", {})
            protected.setdefault("proxy", {}).update({name: value for name, value in flags.items() if value})
        return cls(plain, protected, certificate)

    def configurations(self, marked: bool = False) -> list[dict[str, Any]] | None:
        """`arcAgentryConfigurations`: for the Resource Manager without protected settings.

        Args:
            marked: with a mark for each, as the configuration service is told them.
        """
        return [
            {
                "feature": feature,
                **({"settings": self.plain[feature]} if feature in self.plain else {}),
                **({"protectedSettings": self._marks(feature)} if marked and feature in self.protected else {}),
            }
            for feature in sorted(self.plain.keys() | self.protected.keys())
        ] or None

    def _marks(self, feature: str) -> dict[str, str]:
        return {name: f"redacted:{feature}:{name}" for name in self.protected[feature]}

    def values(self, service: dict[str, Any], installed: Values, disable_proxy: bool = False) -> Values:
        """The chart's values.

        Args:
            service: the data plane's flat map, with the mark where it only knows that there is a value.
            installed: what the release has now, {} for a new one; its proxies stay where nobody says otherwise.
            disable_proxy: `--disable-proxy`.
        """
        flat = flattened(installed)
        for name, value in service.items():
            if isinstance(value, str) and value.startswith("redacted:"):
                _, feature, setting = value.split(":", 2)
                value = self.protected.get(feature, {}).get(setting)
            if value is None or (not value and name in _PROXY_VALUES.values()):
                continue
            flat[name] = value
        if "global.isProxyEnabled" in flattened(installed):
            flat["global.isProxyEnabled"] = flattened(installed)["global.isProxyEnabled"]
        proxies = self.protected.get("proxy", {})
        for setting, name in _PROXY_VALUES.items():
            if proxies.get(setting):
                flat[name] = proxies[setting]
                flat["global.isProxyEnabled"] = True
        if self.certificate:
            flat["global.proxyCert"] = self.certificate
            flat["global.isCustomCert"] = True
        if disable_proxy:
            flat["global.isProxyEnabled"] = False
        return nested(flat)


def _skip_range(given: str) -> str:
    entries: list[str] = []
    for entry in filter(None, (entry.strip() for entry in given.split(","))):
        entries += _ARC_ENDPOINTS if entry.lower() == "arc" else (entry,)
    return ",".join(dict.fromkeys(entries))
