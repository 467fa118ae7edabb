"""Which roots count as an endpoint's own, and what a certificate tells about who signed it.

The machine's own store never counts: a company's inspection root is installed there, and would hide the inspection.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

#: OpenSSL's verification results that say: this chain ends in no root that we know.
_UNKNOWN_ROOT = frozenset({2, 18, 19, 20, 21, 24})
#: And those that say: its time has not come, or has passed.
_DATES = frozenset({9, 10})

#: Where Linux distributions keep what the machine trusts, besides what OpenSSL says of itself.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


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
    """What is shown of a certificate: its names and the SHA-256 of its DER form; and its days, where they are known."""

    subject: str
    issuer: str
    fingerprint: str
    not_before: datetime | None = None
    not_after: datetime | None = None

    def names(self) -> dict[str, str]:
        """Subject, issuer and fingerprint, as in the command's JSON."""
        return {"subject": self.subject, "issuer": self.issuer, "fingerprint": self.fingerprint}

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
    # As in curl and Go: a given certificate is an end of the chain, whether it signed itself or not.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cafile=certifi.where())
    given = frozenset(der for text in genuine_pem for der in certificates(text))
    for der in given:
        context.load_verify_locations(cadata=der)
    return Roots(given - public_roots(), context)


def certificates(pem: str) -> list[bytes]:
    """The certificates in a PEM text, as DER; what stands between them is passed over.

    Raises:
        ValueError: there is none, one cannot be read, or there is a private key too.
    """
    if "PRIVATE KEY-----" in pem:
        raise ValueError("the PEM text holds a private key, which belongs nowhere but to its owner: take it out")
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


def pem(value: str) -> str:
    """A PEM text as it is, or the one in a file.

    Raises:
        ValueError: there are no certificates in it, or there is no such file.
    """
    if "-----BEGIN" in value:
        certificates(value)
        return value
    return read_certificate_file(Path(value))


def read_certificate_file(path: Path) -> str:
    """A PEM file's text. What is no ASCII can only stand between the certificates, and is not kept.

    Raises:
        ValueError: it cannot be read, or holds no certificate.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{str(path)[:80]!r} is no PEM text, and no file that can be read ({error.strerror}): give either"
        ) from None
    if content.startswith(b"\x30") and b"-----BEGIN" not in content:
        raise ValueError(
            f"{path} is DER, which curl, Go and Python do not take as a bundle either: convert it with "
            f"`openssl x509 -inform der -in {path} -out root.pem`"
        )
    text = content.decode("ascii", errors="replace")
    try:
        certificates(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return text


def outdated(pem: str) -> list[Certificate]:
    """The certificates in a PEM text whose time has passed or not come: no client takes them for a root.

    Raises:
        ValueError: as `certificates`.
    """
    now = datetime.now(UTC)
    found = map(describe, certificates(pem))
    return [one for one in found if one.not_before and one.not_after and not one.not_before <= now <= one.not_after]


def unverified(known: Iterable[bytes] = ()) -> ssl.SSLContext:
    """For looking at what a server presents, whoever signed it. No secret is sent through such a connection.

    Args:
        known: roots as DER; the chain that is presented is built up to one of them, where it ends in one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if roots_given := b"".join(dict.fromkeys(known)):
        context.load_verify_locations(cadata=roots_given)
    return context


def unknown_root(error: ssl.SSLCertVerificationError) -> bool:
    """Whether a handshake failed as its chain ends in no known root, rather than for a date or a name."""
    return error.verify_code in _UNKNOWN_ROOT


def wrong_date(error: ssl.SSLCertVerificationError) -> bool:
    """Whether a handshake failed as a certificate's time has passed or not come."""
    return error.verify_code in _DATES


def verified_chain(connection: Any) -> list[bytes]:
    """The chain from the leaf to the root that OpenSSL has verified, as DER.

    Args:
        connection: an `ssl.SSLObject`; the method became public in Python 3.13.
    """
    return _chain(connection, "get_verified_chain")


def presented_chain(connection: Any) -> list[bytes]:
    """The chain as the server sent it, as DER. Takes the argument of `verified_chain`."""
    return _chain(connection, "get_unverified_chain")


def _chain(connection: Any, name: str) -> list[bytes]:
    if hasattr(connection, name):
        return list(getattr(connection, name)())
    import _ssl

    return [link.public_bytes(_ssl.ENCODING_DER) for link in getattr(connection._sslobj, name)() or ()]


def machine_roots() -> Mapping[bytes, str]:
    """What this machine trusts besides the public roots, as DER, and where that stands.

    Looked at for what is said of an interceptor alone. The keychain of macOS is not read.
    """
    found: dict[bytes, str] = {}
    places = ssl.get_default_verify_paths()
    files = [(os.environ[name], f"{name}={os.environ[name]}") for name in _BUNDLE_VARIABLES if os.environ.get(name)]
    files += [(name, name) for name in (places.cafile, *_BUNDLES) if name]
    for folder in filter(None, (os.environ.get("SSL_CERT_DIR"), places.capath)):
        files += [(str(path), str(path)) for path in sorted(Path(folder).glob("*")) if path.suffix != ".crt"]
    for name, shown in files:
        try:
            for der in certificates_unchecked(Path(name).read_bytes().decode("ascii", errors="replace")):
                found.setdefault(der, shown)
        except (OSError, ValueError):
            continue
    if sys.platform == "win32":
        found |= {der: "the Windows store ROOT" for der, _, _ in ssl.enum_certificates("ROOT")}
    return {der: shown for der, shown in found.items() if der not in public_roots()}


def describe(der: bytes) -> Certificate:
    """A certificate's names and fingerprint."""
    import hashlib

    digest = hashlib.sha256(der).hexdigest()
    try:
        from cryptography import x509

        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.rfc4514_string() or "(none)", certificate.issuer.rfc4514_string() or "(none)"
        days = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ImportError, ValueError):
        # A bare Python, or a certificate that strict readers refuse: inspection products were seen to issue such.
        return _described_by_openssl(der, digest)
    return Certificate(*names, digest, *days)


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


def _described_by_openssl(der: bytes, digest: str) -> Certificate:
    import tempfile

    try:
        # First for the error: the reader below leaves one with OpenSSL, which the next call there would stumble on.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "certificate.pem")
            path.write_text(ssl.DER_cert_to_PEM_cert(der))
            # Its name says test, but there is no other way to have Python's OpenSSL read a certificate.
            known: dict[str, Any] = ssl._ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]
        seconds = [ssl.cert_time_to_seconds(known[name]) for name in ("notBefore", "notAfter")]
        days = [datetime.fromtimestamp(second, UTC) for second in seconds]
        subject, issuer = (readable_name(known.get(name, ())) for name in ("subject", "issuer"))
        return Certificate(subject, issuer, digest, *days)
    except (OSError, ValueError, KeyError, ssl.SSLError):
        return Certificate("(unreadable)", "(unreadable)", digest)


def readable_name(name: Iterable[Any]) -> str:
    """A name as `getpeercert` gives it, in RFC 4514's form: the last part first."""
    parts = ["+".join(f"{_SHORT.get(key, key)}={value}" for key, value in part) for part in reversed(tuple(name))]
    return ",".join(parts) or "(none)"


@cache
def public_roots() -> frozenset[bytes]:
    """The public roots, as DER."""
    import certifi

    return frozenset(certificates_unchecked(Path(certifi.where()).read_text()))


def certificates_unchecked(pem: str) -> Iterable[bytes]:
    """The DER forms of a bundle that is known to be good."""
    end = "-----END CERTIFICATE-----"
    for part in pem.split("-----BEGIN CERTIFICATE-----")[1:]:
        yield ssl.PEM_cert_to_DER_cert(f"-----BEGIN CERTIFICATE-----{part.partition(end)[0]}{end}\n")
