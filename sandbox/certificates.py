"""The sandbox's own certificate authority: one root, one certificate for all Azure names, and a bundle for clients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sandbox.home import Home

#: What the local Azure answers for. A wildcard covers one label.
AZURE_NAMES = (
    "management.azure.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "sts.windows.net",
    "graph.microsoft.com",
    "mcr.microsoft.com",
    "*.login.microsoft.com",
    "*.data.mcr.microsoft.com",
    "*.dp.kubernetesconfiguration.azure.com",
    "*.his.arc.azure.com",
    "*.obo.arc.azure.com",
    "*.gw.arc.azure.com",
    "*.arc.azure.net",
    "guestnotificationservice.azure.com",
    "*.guestnotificationservice.azure.com",
    "*.servicebus.windows.net",
    "*.ods.opinsights.azure.com",
    "*.oms.opinsights.azure.com",
    "*.monitoring.azure.com",
    "*.vault.azure.net",
    "*.policy.core.windows.net",
    "*.cloud.defender.microsoft.com",
    "*.blob.core.windows.net",
    "dl.k8s.io",
)
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form.

    Attributes:
        root: the root's certificate alone.
        bundle: the machine's public roots and ours, so that a client that trusts it still reaches real servers.
        chain: the certificate for all Azure names and this machine, with its key in `key`.
    """

    root: Path
    bundle: Path
    chain: Path
    key: Path


def certificates(home: Home) -> Certificates:
    """The sandbox's certificates, made on first use. The keys are readable by their owner alone."""
    folder = home.folder("certificates")
    files = Certificates(folder / "root.pem", folder / "bundle.pem", folder / "azure.pem", folder / "azure.key")
    if not files.bundle.exists():
        import trustme  # only here: most commands find the certificates made

        authority = trustme.CA(organization_name="Arc gateway sandbox")
        home.write("certificates/root.key", authority.private_key_pem.bytes().decode())
        leaf = authority.issue_cert(*AZURE_NAMES, *LOCAL_NAMES, common_name="Azure in the sandbox")
        home.write("certificates/root.pem", authority.cert_pem.bytes().decode())
        home.write("certificates/azure.key", leaf.private_key_pem.bytes().decode())
        home.write("certificates/azure.pem", "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems))
        home.write("certificates/bundle.pem", _public_roots() + files.root.read_text())
    return files


def issue(home: Home, name: str, *hosts: str) -> tuple[Path, Path]:
    """A certificate and key for other hosts (a node, an API server), signed by the same root and made once."""
    files = certificates(home)
    chain, key = files.root.with_name(f"{name}.pem"), files.root.with_name(f"{name}.key")
    if not chain.exists():
        import trustme

        authority = trustme.CA.from_pem(files.root.read_bytes(), files.root.with_name("root.key").read_bytes())
        leaf = authority.issue_cert(*hosts, common_name=name)
        home.write(f"certificates/{name}.key", leaf.private_key_pem.bytes().decode())
        home.write(f"certificates/{name}.pem", "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems))
    return chain, key


def _public_roots() -> str:
    import certifi

    for path in (*map(Path, SYSTEM_BUNDLES), Path(certifi.where())):
        if path.exists():
            return path.read_text().rstrip("\n") + "\n"
    raise FileNotFoundError("no bundle of public root certificates on this machine")
