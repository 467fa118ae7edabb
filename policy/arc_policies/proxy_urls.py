"""Rule `proxy-urls`: proxies are given so that every client reads them alike, and their passwords only as secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from arcgateway.proxy import Fault, ProxyUrl, ProxyUrlError

from .commands import CLIENT_VARIABLE
from .proxies import TOKENS, Asked, Proxies, proxies, unescaped
from .reading import Node, plain
from .rule import OPEN, Check, Finding, Grade, Level, Rule
from .secrecy import is_secret
from .settings import Settings
from .shell import OPEN as UNKNOWN_PART
from .subjects import is_component
from .tokens import Subject

_WRITE = "Write http://HOST:PORT (https:// only for a proxy that speaks TLS itself)."

#: What is said of each fault, and how it is mended.
_FAULTS = {
    Fault.BLANKS: ("holds blanks or control characters", "Percent-encode them: a blank is %20."),
    Fault.NO_SCHEME: ("has no scheme", _WRITE),
    Fault.SCHEME: ("has a scheme other than http and https, such as socks5, which Arc cannot use", _WRITE),
    Fault.UNREADABLE: ("has no host and port that can be read", f"{_WRITE} Percent-encode / ? # @ : in credentials."),
    Fault.TAIL: (
        "goes on after its port",
        "Remove what follows the port; where it belongs to the password, percent-encode / as %2F, ? as %3F, # as %23.",
    ),
    Fault.NO_PORT: ("has no port, for which clients take different ones", _WRITE),
    Fault.HOST: (
        "has an impossible host",
        "Give a name, an IPv4 address, or an IPv6 address in brackets.",
    ),
    Fault.CREDENTIALS: ("has a % in its credentials that starts no code", "Write a % of its own as %25."),
}
#: What clients on the deployment machine make nothing of: they take a proxy without a scheme for an HTTP one.
_HARMLESS_TO_CLIENTS = frozenset({Fault.NO_SCHEME})

_OPEN_PORT = re.compile(rf":{UNKNOWN_PART}+(?=/?$)")
_OPEN_MEND = (
    "It is judged before the resource is made, where it is known then; a variable of the machine that runs a command "
    "never is, so set it in the command's environment."
)
_KEEP_IT = (
    "Give it as a Pulumi secret (`pulumi config set --secret`, `pulumi.secret(...)`), or leave the credentials to a "
    "variable that is one."
)


def _urls(subject: Subject, _: Settings) -> Iterator[Finding]:
    for one in proxies(subject):
        for url in (one.https, one.http):
            yield from _form(url, one.asked)
        yield from _together(one)


def _passwords(subject: Subject, _: Settings) -> Iterator[Finding]:
    for one in proxies(subject):
        for url in (one.https, one.http):
            yield from _credentials(url, subject, doubtful=one.asked is not Asked.PROJECT)


def _form(url: Node, asked: Asked) -> Iterator[Finding]:
    text = _text(url)
    # Our own components and driver refuse a wrong URL as soon as they know it: what is open there needs no word.
    if url.open or (UNKNOWN_PART in text and not _tells(text)):
        if asked is not Asked.PROJECT:
            yield Finding(OPEN, url.path, "has a proxy URL that is not known yet", _OPEN_MEND)
    elif (fault := _fault(text)) is not None:
        problem, mend = _FAULTS[fault]
        yield Finding("form", url.path, f"has a proxy URL that {problem}", mend)


def _text(url: Node) -> str:
    return unescaped(url.text)


def _tells(text: str) -> bool:
    """Whether a URL that is open in parts shows its form: the scheme, and where the port stands."""
    scheme, separator, rest = text.partition("://")
    authority = rest.rpartition("@")[2].strip("/")
    return bool(separator) and UNKNOWN_PART not in scheme and (":" in authority or UNKNOWN_PART not in authority)


def _fault(text: str) -> Fault | None:
    if not text:
        return None
    try:
        _parsed(text)
    except ProxyUrlError as error:
        return error.fault
    return None


def _parsed(text: str) -> ProxyUrl:
    """A URL, its open parts filled with something harmless.

    Raises:
        ProxyUrlError: it is none of a proxy.
    """
    return ProxyUrl.parse(_OPEN_PORT.sub(":1", text).replace(UNKNOWN_PART, "x"))


def _together(one: Proxies) -> Iterator[Finding]:
    """What the two URLs say of each other."""
    if one.asked is Asked.WHOLE and one.http.text and one.https.value in (None, ""):
        yield Finding(
            "half",
            one.http.path,
            "has a proxy for HTTP alone, so that HTTPS, which is what Arc's agents speak, goes without one",
            "Give the proxy for HTTPS too; it may be the same URL.",
        )
    https, http = _text(one.https), _text(one.http)
    if any(not text or UNKNOWN_PART in text.rpartition("@")[2] or _fault(text) for text in (https, http)):
        return
    first, second = _parsed(https), _parsed(http)
    if (first.host.lower(), first.port) == (second.host.lower(), second.port) and first.scheme != second.scheme:
        place = one.https if first.scheme == "https" else one.http
        yield Finding(
            "contradiction",
            place.path,
            "has an https:// and an http:// URL of the same proxy and port, though a port speaks either TLS or not",
            "Write http:// in both where the proxy itself is asked in plain HTTP (it carries HTTPS all the same), "
            "https:// in both where it speaks TLS.",
        )


def _credentials(url: Node, subject: Subject, *, doubtful: bool) -> Iterator[Finding]:
    """A password that stands in a text which is not secret.

    Args:
        url: where it is read.
        subject: whose resource holds the text.
        doubtful: whether to speak where it cannot be told if the text is secret.
    """
    userinfo = _text(url).partition("://")[2].rpartition("@")[0]
    password = userinfo.partition(":")[2]
    if not password.strip(UNKNOWN_PART):
        return
    told = [is_secret(url.value)] if is_secret(url.value) is not None else _told(subject, userinfo)
    if False in told:
        yield Finding(
            "plain", url.path, "has a proxy URL whose password would lie readable in Pulumi's state", _KEEP_IT
        )
    elif doubtful and None in told:
        yield Finding(
            "doubtful",
            url.path,
            "has a proxy URL with a password, of which cannot be told here whether it is a secret",
            _KEEP_IT,
        )


def _told(subject: Subject, userinfo: str) -> list[bool | None]:
    """For each text of the resource that holds these credentials literally, whether it is secret."""
    props = Node(None if subject.resource is None else plain(subject.resource.props))
    return [is_secret(node.value) for node in props.walk() if isinstance(node.value, str) and userinfo in node.value]


def _client(subject: Subject, _: Settings) -> Iterator[Finding]:
    said = "" if subject.form else "is set for a client of Arc and "
    text = _text(subject.node)
    fault = None if UNKNOWN_PART in text and not _tells(text) else _fault(text)
    if fault is not None and fault not in _HARMLESS_TO_CLIENTS:
        problem, mend = _FAULTS[fault]
        yield Finding("client", subject.node.path, f"{said}has a proxy URL that {problem}", mend)
    yield from _credentials(subject.node, subject, doubtful=bool(subject.form))


_LEARN = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/quickstart-connect-cluster.md"
_CHECKED = date(2026, 8, 20)

RULE = Rule(
    name="proxy-urls",
    description="Proxy URLs have http or https, host and port, and their passwords are secrets.",
    why=(
        "Arc's agents are programs in several languages that read one proxy URL: what one of them completes "
        "another refuses, and the cluster stays offline; and a URL outside Pulumi's secrets leaves its password "
        "readable in state and logs."
    ),
    grades={
        "form": Grade(
            "no http:// or https://, no port, blanks, a path, an impossible host",
            Level.MANDATORY,
            Level.MANDATORY,
            _LEARN,
            _CHECKED,
        ),
        "contradiction": Grade(
            "an https:// and an http:// URL of one host and port",
            Level.MANDATORY,
            Level.MANDATORY,
            f"{_LEARN}: a proxy that only uses HTTP is given as http:// for both",
            _CHECKED,
        ),
        "plain": Grade(
            "a password in a text that the engine says is no secret",
            Level.MANDATORY,
            Level.MANDATORY,
            "our judgement",
            _CHECKED,
        ),
        "doubtful": Grade(
            "a password in a text of which cannot be told whether it is secret (such as JSON text of a template)",
            Level.ADVISORY,
            Level.ADVISORY,
            "our judgement",
            _CHECKED,
        ),
        "half": Grade("a proxy for HTTP alone", Level.ADVISORY, Level.ADVISORY, _LEARN, _CHECKED),
        "client": Grade(
            "a wrong URL in HTTPS_PROXY or HTTP_PROXY of the machine that runs `az`",
            Level.ADVISORY,
            Level.ADVISORY,
            "our judgement",
            _CHECKED,
        ),
    },
    checks=(
        Check(
            "urls",
            "proxies of our components and of the driver's environment (which refuse a wrong URL as soon as they know "
            "it), of `az connectedk8s connect|update`, PowerShell, Arc's chart (Helm releases and `helm --set`), and "
            "of a connected cluster's `arcAgentryConfigurations` (every version, generic, azapi, templates)",
            _urls,
            TOKENS,
            matches=is_component,
            grades=("form", "contradiction", "half"),
        ),
        Check(
            "passwords",
            "passwords in the same places, by whether the engine says that the text which holds them is secret; where "
            "it says nothing (text within a template's JSON), it is advised, and our components, which make a secret "
            "of it themselves, are left alone; a password that a variable of the machine gives is not seen",
            _passwords,
            TOKENS,
            matches=is_component,
            grades=("plain", "doubtful"),
        ),
        Check(
            "client",
            "`HTTPS_PROXY` and `HTTP_PROXY` in the environment, or before the command, of `az connectedk8s` and "
            "`az arcgateway`",
            _client,
            frozenset({f"{CLIENT_VARIABLE}https_proxy", f"{CLIENT_VARIABLE}http_proxy"}),
            grades=("client", "plain", "doubtful"),
        ),
    ),
)
