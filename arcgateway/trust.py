"""Which roots count as an endpoint's own, and what a certificate tells about who signed it.

The machine's own store never counts: a company's inspection root is installed there, and would hide the inspection.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

#: OpenSSL's verification results that say: this chain ends in no root that we know.
_UNKNOWN_ROOT = frozenset({2, 18, 19, 20, 21, 24})


@dataclass(frozen=True)
class Roots:
    """The public roots of certifi, and the genuine ones that the customer vouches for.

    Attributes:
        genuine: DER certificates that count besides the public ones.
        context: for a client's handshake: these roots and none else, host names checked.
    """

    genuine: frozenset[bytes]
    context: ssl.SSLContext

    def vouched(self, chain: Iterable[bytes]) -> bool:
        """Whether a verified chain rests on one of the genuine roots."""
        return any(certificate in self.genuine for certificate in chain)


@dataclass(frozen=True)
class Certificate:
    """What is shown of a certificate: its names and the SHA-256 of its DER form."""

    subject: str
    issuer: str
    fingerprint: str

    def __str__(self) -> str:
        return f"subject {self.subject}, issuer {self.issuer}, SHA-256 {self.fingerprint}"


def roots(genuine_pem: Iterable[str] = ()) -> Roots:
    """The roots that count.

    Args:
        genuine_pem: PEM texts, each with any number of certificates.

    Raises:
        ValueError: a text holds no certificate, or one that cannot be read.
    """
    import certifi

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=certifi.where())
    given = frozenset(der for text in genuine_pem for der in certificates(text))
    for der in given:
        context.load_verify_locations(cadata=der)
    return Roots(given - _public(), context)


def certificates(pem: str) -> list[bytes]:
    """The certificates in a PEM text, as DER; what stands between them is passed over.

    Raises:
        ValueError: there is none, or one cannot be read.
    """
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    found = []
    for part in pem.split(begin)[1:]:
        body, closed, _ = part.partition(end)
        if not closed:
            raise ValueError("a certificate in the PEM text has no end: copy it again, to its END line")
        try:
            der = ssl.PEM_cert_to_DER_cert(f"{begin}{body}{end}\n")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
        except (ValueError, ssl.SSLError):
            raise ValueError("a certificate in the PEM text is damaged: copy it again") from None
        found.append(der)
    if not found:
        raise ValueError(
            "no certificate in the text: give PEM (-----BEGIN CERTIFICATE-----); for DER, convert it with "
            "`openssl x509 -inform der`"
        )
    return found


def read_certificate_file(path: Path) -> str:
    """A PEM file's text.

    Raises:
        ValueError: it cannot be read, or holds no certificate.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as PEM ({type(error).__name__}): give a PEM file") from None
    try:
        certificates(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return text


def unverified() -> ssl.SSLContext:
    """For looking at what a server presents, whoever signed it. Nothing is sent through such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def unknown_root(error: ssl.SSLCertVerificationError) -> bool:
    """Whether a handshake failed as its chain ends in no known root, rather than for a date or a name."""
    return error.verify_code in _UNKNOWN_ROOT


def verified_chain(connection: Any) -> list[bytes]:
    """The chain from the leaf to the root that OpenSSL has verified, as DER.

    Args:
        connection: an `ssl.SSLObject`; the method became public in Python 3.13.
    """
    if hasattr(connection, "get_verified_chain"):
        return list(connection.get_verified_chain())
    import _ssl

    return [link.public_bytes(_ssl.ENCODING_DER) for link in connection._sslobj.get_verified_chain() or ()]


def describe(der: bytes) -> Certificate:
    """A certificate's names and fingerprint."""
    import hashlib

    digest = hashlib.sha256(der).hexdigest()
    try:
        from cryptography import x509
    except ImportError:  # in the preflight's pod, which has Python's standard library alone
        subject, issuer = _names_by_openssl(der)
        return Certificate(subject, issuer, digest)
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except ValueError:
        # Inspection products were seen to issue certificates that strict readers refuse.
        subject = issuer = "(unreadable)"
    return Certificate(subject or "(none)", issuer or "(none)", digest)


#: RFC 4514's short names of what OpenSSL writes out.
_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


def _names_by_openssl(der: bytes) -> tuple[str, str]:
    """Subject and issuer, last part first as RFC 4514 has them."""
    import _ssl
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "presented.pem"
        path.write_text(ssl.DER_cert_to_PEM_cert(der))
        try:
            # First for the error: the reader below leaves one with OpenSSL, which the next call there would stumble on.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
            # Its name says test, but there is no other way to have Python's OpenSSL read a certificate.
            known = _ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]
        except ssl.SSLError:
            return "(unreadable)", "(unreadable)"

    def shown(name: Any) -> str:
        parts = ["+".join(f"{_SHORT.get(key, key)}={value}" for key, value in part) for part in reversed(name)]
        return ",".join(parts) or "(none)"

    return shown(known.get("subject", ())), shown(known.get("issuer", ()))


@cache
def _public() -> frozenset[bytes]:
    import certifi

    return frozenset(certificates_unchecked(Path(certifi.where()).read_text()))


def certificates_unchecked(pem: str) -> Iterable[bytes]:
    """The DER forms of a bundle that is known to be good."""
    end = "-----END CERTIFICATE-----"
    for part in pem.split("-----BEGIN CERTIFICATE-----")[1:]:
        yield ssl.PEM_cert_to_DER_cert(f"-----BEGIN CERTIFICATE-----{part.partition(end)[0]}{end}\n")
