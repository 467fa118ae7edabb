"""What to make of a chain of certificates that is not trusted: whether somebody on the way opens TLS, and who."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from arcgateway.answers import Trouble
from arcgateway.results import MENDS
from arcgateway.trust import (
    Certificate,
    certificates,
    describe,
    machine_roots,
    public_roots,
    unknown_root,
    unverified,
    wrong_date,
)


@dataclass(frozen=True)
class Signers:
    """Who may have signed a chain, besides those whose word counts.

    Attributes:
        proxy: the certificates that were given as the proxy's own, as DER.
        machine: what this machine trusts besides the public roots, as DER, and where that stands.
        context: for a look that builds a chain up to whichever of all these it ends in.
    """

    proxy: frozenset[bytes]
    machine: Mapping[bytes, str]
    context: ssl.SSLContext

    @classmethod
    def known(cls, proxy_pem: str | None, genuine_pem: Iterable[str]) -> Signers:
        """Those of this machine and of these settings."""
        proxy = frozenset(certificates(proxy_pem)) if proxy_pem else frozenset()
        genuine = [der for text in genuine_pem for der in certificates(text)]
        machine = machine_roots()
        return cls(proxy, machine, unverified([*public_roots(), *genuine, *proxy, *machine]))


@dataclass(frozen=True)
class Look:
    """What a look at an endpoint showed, which did not insist on a chain that counts.

    Attributes:
        chain: the certificates as they were sent, the leaf first, as DER; none where there was no second handshake.
        built: the chain up to a known root, as far as it could be built.
        date: what the endpoint's clock said.
        proxy_chain: what the proxy presented for itself.
    """

    chain: list[bytes] = field(default_factory=list)
    built: list[bytes] = field(default_factory=list)
    date: datetime | None = None
    proxy_chain: list[bytes] = field(default_factory=list)


def refused_certificate(
    host: str, error: ssl.SSLCertVerificationError, look: Look, signers: Signers, here: datetime
) -> Trouble:
    """Why a handshake was refused, with all that is known of who has signed what was presented."""
    leaf = describe(look.chain[0]) if look.chain else None
    evidence = f"{host}: {error.verify_message}" + (f"; {leaf}" if leaf else "")
    if unknown_root(error):
        return Trouble("tls-intercepted", evidence + _signer(look, signers), certificate=leaf)
    if wrong_date(error) and leaf is not None:
        words, mend = _dates(leaf, look.date, here)
        return Trouble("certificate-invalid", evidence + words, mend=mend, certificate=leaf)
    return Trouble("certificate-invalid", evidence, certificate=leaf)


def _signer(look: Look, signers: Signers) -> str:
    root = look.built[-1] if look.built else b""
    words = ""
    if root in signers.machine:
        words += f"; this machine trusts its root ({signers.machine[root]}), which hides it from other programs"
    if {root, *look.chain} & {*signers.proxy, *look.proxy_chain}:
        words += "; the chain ends in the proxy's own certificate"
    return words


def _dates(leaf: Certificate, date: datetime | None, here: datetime) -> tuple[str, str]:
    """What a wrong date may be due to, and the mend where it is our clock."""
    if leaf.not_before is None or leaf.not_after is None:
        return "", ""
    words = f"; valid from {leaf.not_before:%Y-%m-%d %H:%M} to {leaf.not_after:%Y-%m-%d %H:%M} UTC"
    if date is None or not leaf.not_before <= date <= leaf.not_after:
        return words, ""
    clocks = f"it says {here:%Y-%m-%d %H:%M}, the endpoint {date:%Y-%m-%d %H:%M} UTC"
    return f"{words}; the clock here is wrong: {clocks}", MENDS["clock-skew"]
