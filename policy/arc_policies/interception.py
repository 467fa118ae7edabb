"""What text says of interception: the directives, programs and names that only a TLS-opening proxy has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from .commands import INTERCEPTORS
from .proxy_settings import DIRECTIVE, INTERCEPTOR, ONE_SIGN, TWO_SIGNS, VERDICT, grade
from .reading import Node
from .rule import OPEN, Finding
from .settings import Settings

T = TypeVar("T")

MEND = "Take it off the path of Arc's agents, or have it pass the hosts of Arc through untouched."

#: The cause by which `arcgateway preflight` names what this rule is about.
INTERCEPTED = "tls-intercepted"

GATEWAY_NAME = re.compile(r"gw\\*\.arc\\*\.azure\\*\.com", re.IGNORECASE)

#: Products that can be set up to intercept, by a part of an image's or chart's name.
_PRODUCTS = re.compile(
    r"(?:^|[-_/.])(mitm\w*|ssl-?split|ssl-?bump|zscaler|netskope|burp|burpsuite|charles|bluecoat|proxysg|umbrella|fiddler|"
    r"forti(?:proxy|gate)|panos|pan-?os|pan_cn\w*|pan-cn-series|cn-series|vm-series|forcepoint|skyhigh|iboss)"
    r"(?:[-_/.:]|$)",
    re.IGNORECASE,
)
_PACKAGED = r"(?:docker-|alpine-|egress-)?{0}(?:-(?:chart|server|proxy|docker|alpine|slim|amd64|arm64|x86))*"
_NAMES = "|".join(sorted(INTERCEPTORS))
_INTERCEPTOR_NAME = re.compile(_PACKAGED.format(f"({_NAMES})"))
#: A line that runs one; its name alone on a line is but a name.
_RUN = re.compile(
    rf"^[ \t]*(?:-[ \t]+)?(?:(?:ExecStart=|(?:exec|nohup|sudo)[ \t]+)+(?:[\w./-]*/)?({_NAMES})(?=\s|$)"
    rf"|(?:[\w./-]*/)?({_NAMES})(?=[ \t]+-))",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Weak:
    """A sign that proves nothing alone.

    Attributes:
        kind: two of different kinds agree.
        place: the property.
        problem: a clause about it.
        product: what it is a sign of; in different resources of a stack, two of one product agree.
    """

    kind: str
    place: Node
    problem: str
    product: str


@dataclass(frozen=True)
class Sign:
    """A row of the table of what configuration says.

    Attributes:
        kind: unique, beginning with the product where the sign is always of one; two weak signs of different kinds
            agree.
        covers: the form, for the documentation.
        grade: how much it proves: a directive does it, two signs agree within, one sign.
        patterns: each is found in the text, or in the same piece of it.
        problem: a clause about the property.
        pieces: where a new piece begins; None for the whole text.
        unless: what takes the sign back.
    """

    kind: str
    covers: str
    grade: str
    patterns: tuple[re.Pattern[str], ...]
    problem: str
    pieces: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None

    def found(self, text: str) -> bool:
        pieces = self.pieces.split(text) if self.pieces and self.patterns[0].search(text) else [text]
        return any(
            all(pattern.search(piece) for pattern in self.patterns)
            and not (self.unless is not None and self.unless.search(piece))
            for piece in pieces
        )

    def product(self, text: str) -> str:
        """What the sign is one of, in a text in which it is found."""
        named = self.patterns[0].search(text) if self.kind == _AUTHORITY else None
        return _vendor(named[0]) if named else self.kind.partition(" ")[0]


def _line(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*{pattern}", re.MULTILINE | re.IGNORECASE)


_ANY_HOST = _line(
    r"proxy_pass[ \t]+[\"']?(?:https|\$scheme)://\$(?:http_host|host|ssl_server_name|ssl_preread_server_name)"
)
_NGINX_SERVER = re.compile(r"^[ \t]*server[ \t]*\{", re.MULTILINE)
_ENVOY_DOWNSTREAM = re.compile(r"DownstreamTlsContext")
_ENVOY_UPSTREAM = re.compile(r"UpstreamTlsContext")
_ENVOY_ANY_HOST = re.compile(r"(?<!sni_)dynamic_forward_proxy")

#: Kinds of signs that are told apart from the others.
_AUTHORITY, _SPLICING = "authority", "squid splicing"
_SQUID_ALONE = frozenset({"squid port", "squid signing"})

SIGNS = (
    Sign(
        "fortinet",
        "Fortinet `set ssl-ssh-profile`, `inspect-all` or `status` of `deep-inspection`",
        DIRECTIVE,
        (_line(r"set[ \t]+(?:ssl-ssh-profile|inspect-all|status)[ \t]+\"?(?:custom-)?deep-inspection\"?[ \t\r]*$"),),
        "has Fortinet open TLS by deep inspection",
    ),
    Sign(
        "proxysg",
        "ProxySG `ssl.forward_proxy(...)`",
        DIRECTIVE,
        (re.compile(r"^[^;\n]*\bssl\.forward_proxy\([ \t]*(?!no\b)\w", re.MULTILINE),),
        "has ProxySG open TLS by `ssl.forward_proxy`",
    ),
    Sign(
        "palo alto",
        "Palo Alto `ssl-forward-proxy` with the action `decrypt`",
        DIRECTIVE,
        (re.compile(r"ssl-forward-proxy"), re.compile(r"\baction\W{1,8}decrypt\b")),
        "has Palo Alto open TLS by a rule that decrypts as `ssl-forward-proxy`",
        # Its `set` commands spread a rule over lines, and are read by their rules' names.
        unless=re.compile(r"\bdecryption[ \t]+rules[ \t]"),
        pieces=re.compile(r"<entry\b|^[ \t]*-[ \t]+name:|(?=\{\s*\"@?name\")", re.MULTILINE),
    ),
    Sign(
        "verdict",
        "a preflight's cause `tls-intercepted`",
        VERDICT,
        (re.compile(rf"\"cause\"\s*:\s*\"{INTERCEPTED}\""),),
        "holds a preflight verdict that saw TLS intercepted",
    ),
    Sign(
        "nginx",
        "NGINX `ssl_certificate` with `proxy_pass https://$host` in one server",
        TWO_SIGNS,
        (_ANY_HOST, _line(r"ssl_certificate(?:_by_lua\w*)?[ \t]")),
        "has NGINX answer TLS with a certificate of its own and ask whichever host is wanted by TLS anew",
        pieces=_NGINX_SERVER,
    ),
    Sign(
        "envoy",
        "Envoy `DownstreamTlsContext` and `UpstreamTlsContext` with `dynamic_forward_proxy`",
        TWO_SIGNS,
        (_ENVOY_DOWNSTREAM, _ENVOY_UPSTREAM, _ENVOY_ANY_HOST),
        "has Envoy answer TLS with a certificate of its own and ask whichever host is wanted by TLS anew",
    ),
    Sign(
        "nginx forwarding",
        "NGINX `proxy_pass https://$host`",
        ONE_SIGN,
        (_ANY_HOST,),
        "has NGINX ask whichever host is wanted by TLS of its own",
    ),
    Sign(
        "envoy forwarding",
        "Envoy `DownstreamTlsContext` with `dynamic_forward_proxy` and no `connect_matcher`",
        ONE_SIGN,
        (_ENVOY_DOWNSTREAM, _ENVOY_ANY_HOST),
        "has Envoy end TLS before it forwards to whichever host is wanted",
        # That is a proxy with TLS of its own, through which CONNECT opens a tunnel.
        unless=re.compile(r"connect_matcher|UpstreamTlsContext"),
    ),
    Sign(
        "squid port",
        "squid `http_port ... ssl-bump`",
        ONE_SIGN,
        (_line(r"https?_port[ \t][^#\n]*\bssl-bump\b"),),
        "has a squid port open for interception",
    ),
    Sign(
        "squid signing",
        "squid `generate-host-certificates=on`, `sslcrtd_program`, `security_file_certgen`",
        ONE_SIGN,
        (
            re.compile(
                r"^[^#\n]*?(?:generate-host-certificates=on|sslcrtd_program|security_file_certgen)", re.MULTILINE
            ),
        ),
        "has squid sign certificates for other hosts",
    ),
    Sign(
        "haproxy authority",
        "HAProxy `bind ... ca-sign-file`",
        ONE_SIGN,
        (_line(r"bind[ \t][^#\n]*\bca-sign-file\b"),),
        "gives HAProxy an authority to sign certificates with",
    ),
    Sign(
        "haproxy signing",
        "HAProxy `bind ... generate-certificates`",
        ONE_SIGN,
        (_line(r"bind[ \t][^#\n]*\bgenerate-certificates\b"),),
        "has HAProxy sign certificates for other hosts",
    ),
    Sign(
        _AUTHORITY,
        "names of the authorities of Zscaler, Netskope, Umbrella, Fortinet, mitmproxy",
        ONE_SIGN,
        (
            re.compile(
                r"zscaler ?root|netskope[\w .-]{0,24}?(?:root|\bca\b|cert)|umbrella[ _-]?root|"
                r"fortinet_ca_ssl|mitmproxy-ca",
                re.IGNORECASE,
            ),
        ),
        "names the certificate authority of an intercepting product",
    ),
)
_SQUID = "squid `ssl_bump` with bump, stare, client-first, server-first or (before 3.3) allow"


#: What is both the name of a product and of its authority.
_VENDOR = re.compile(r"zscaler|netskope|umbrella|forti|mitm", re.IGNORECASE)


def covered() -> str:
    """The forms of the table, by what they prove."""

    def of(*grades: str) -> str:
        return "; ".join(sign.covers for sign in SIGNS if sign.grade in grades)

    return (
        f"conclusive alone: {_SQUID}; {of(DIRECTIVE, VERDICT)}; a script or a unit that runs an interceptor. Two "
        f"signs in one: {of(TWO_SIGNS)}. One sign, of which two agree: {of(ONE_SIGN)}"
    )


#: What every text has in which there is anything to find: most text has none of it, and costs one look.
_HINT = re.compile(
    r"ssl|tls|certificate|certgen|ca-sign|proxy|inspection|mitm|zscaler|netskope|umbrella|^FROM",
    re.IGNORECASE | re.MULTILINE,
)
#: What a container file builds on.
_BASE_IMAGE = re.compile(r"^FROM[ \t]+(?:--platform=\S+[ \t]+)?(\S*/\S+)", re.MULTILINE)
_BUMP = re.compile(r"^[ \t]*ssl_bump[ \t]+([\w-]+)([^#\n]*)", re.MULTILINE)
_ACL = re.compile(r"^[ \t]*acl[ \t]+(\S+)([^#\n]*)", re.MULTILINE)
#: `allow` is what versions before 3.3 call it.
_DECRYPTING = frozenset({"bump", "stare", "client-first", "server-first", "allow"})
_PANOS_RULE = r"\bdecryption[ \t]+rules[ \t]+(\"[^\"\n]{0,80}\"|\S{1,80})[ \t][^\n]{0,200}?"
_PANOS_TYPE = re.compile(rf"{_PANOS_RULE}\bssl-forward-proxy")
_PANOS_ACTION = re.compile(rf"{_PANOS_RULE}\baction[ \t]+decrypt\b")


def image(node: Node, settings: Settings, words: tuple[str, ...] = ()) -> Iterator[Finding | Weak]:
    """What an image's or a chart's reference says, with the words that its program gets."""
    name = bare(node.text)
    if known := _INTERCEPTOR_NAME.fullmatch(name):
        passes = exempts(words)
        problem = f"is {known[1]}, which only intercepts TLS"
        yield Finding(grade(settings, INTERCEPTOR, passes_gateway=passes), node.path, problem, MEND)
    elif product := _PRODUCTS.search(node.text.partition("@")[0]):
        yield Weak("product", node, "carries the name of a product that can intercept TLS", _vendor(product[1]))


def _vendor(name: str) -> str:
    known = _VENDOR.search(name)
    return (known[0] if known else name).lower()


def bare(reference: str) -> str:
    """The last part of an image's or chart's reference, without tag, digest and archive ending."""
    last = reference.partition("@")[0].rstrip("/").rpartition("/")[2].partition(":")[0].lower()
    return re.sub(r"-v?\d+(?:\.\d+)+.*?\.tgz$|\.tgz$", "", last)


def exempts(words: tuple[str, ...]) -> bool:
    """Whether an interceptor is told to ignore the gateway's hosts."""
    return any(GATEWAY_NAME.search(word) and "ignore" in f"{before} {word}" for before, word in pairwise(("", *words)))


def read(text: str, place: Node, settings: Settings) -> Iterator[Finding | Weak]:
    """What a text says: a finding where it is conclusive, else weak signs."""
    if not _HINT.search(text):
        return
    text = text.replace("\\\r\n", " ").replace("\\\n", " ")
    bumps = list(_BUMP.finditer(text))
    for base in _BASE_IMAGE.finditer(text):
        yield from image(Node(base[1], place.path), settings)
    for conclusive in (_squid, _panos, _interceptor):
        found = conclusive(text, place, settings)
        if found is not None:
            yield found
            return
    for sign in SIGNS:
        # Squid's port and its certificates open nothing where every step says splice, peek or terminate.
        if not sign.found(text) or (bumps and sign.kind in _SQUID_ALONE):
            continue
        if sign.grade != ONE_SIGN:
            yield Finding(grade(settings, sign.grade), place.path, sign.problem, MEND)
            return
        yield Weak(sign.kind, place, sign.problem, sign.product(text))
    if bumps:
        yield Weak(_SPLICING, place, "", "squid")


def conclude(found: Iterable[Finding | Weak], settings: Settings) -> Iterator[Finding]:
    """The findings of one resource: what is conclusive, or two weak signs that agree, or one that does not."""
    certain: list[Finding] = []
    weak: list[Weak] = []
    for one in found:
        if isinstance(one, Finding):
            certain.append(one)
        else:
            weak.append(one)
    yield from certain
    if any(one.grade != OPEN for one in certain):
        return
    kinds: dict[str, Weak] = {}
    for sign in weak:
        if not _taken_back(sign, weak):
            kinds.setdefault(sign.kind, sign)
    signs = list(kinds.values())
    if len(signs) > 1:
        problem = f"{signs[0].problem}, and {_place(signs[1])}{signs[1].problem}"
        yield Finding(grade(settings, TWO_SIGNS), signs[0].place.path, problem, MEND)
    else:
        yield from (Finding(ONE_SIGN, one.place.path, one.problem, MEND) for one in signs)


def agree(signs: Sequence[tuple[T, Weak]]) -> Iterator[tuple[tuple[T, Weak], tuple[T, Weak]]]:
    """Two signs of one product in different places that agree, each product once.

    Args:
        signs: each with where it was found, and those that take others back too.
    """
    first: dict[str, tuple[T, Weak]] = {}
    told: set[str] = set()
    weak = [one for _, one in signs]
    for where, one in signs:
        if one.product in told or _taken_back(one, weak):
            continue
        before, sign = first.setdefault(one.product, (where, one))
        if before is not where and sign.kind != one.kind:
            told.add(one.product)
            yield (before, sign), (where, one)


def _taken_back(sign: Weak, signs: Sequence[Weak]) -> bool:
    """Whether it says nothing beside the others: squid opens nothing where all it does is splicing."""
    return sign.kind == _SPLICING or (sign.kind in _SQUID_ALONE and any(one.kind == _SPLICING for one in signs))


def _place(sign: Weak) -> str:
    return "something there " if sign.problem.startswith(("is ", "carries ", "names ")) else ""


def _squid(text: str, place: Node, settings: Settings) -> Finding | None:
    bumps = list(_BUMP.finditer(text))
    lists = dict[str, str]()
    for acl in _ACL.finditer(text):
        lists[acl[1]] = f"{lists.get(acl[1], '')} {acl[2]}"
    spared = False
    for bump in bumps:
        word, names = bump[1].lower(), bump[2].split()
        about = any(GATEWAY_NAME.search(lists.get(name.lstrip("!"), "")) for name in names)
        if word in {"splice", "none", "terminate", "deny"}:
            # `splice all` ends it: no later line is reached.
            spared = spared or about
            if word != "terminate" and names == ["all"]:
                return None
        elif word in _DECRYPTING:
            passes = spared or any(name[:1] == "!" and GATEWAY_NAME.search(lists.get(name[1:], "")) for name in names)
            problem = f"has squid open TLS by `ssl_bump {word}`"
            return Finding(grade(settings, DIRECTIVE, passes_gateway=passes), place.path, problem, MEND)
    return None


def _panos(text: str, place: Node, settings: Settings) -> Finding | None:
    """PAN-OS's `set` commands spread one rule over several lines."""
    if set(_PANOS_TYPE.findall(text)).isdisjoint(_PANOS_ACTION.findall(text)):
        return None
    problem = "has Palo Alto open TLS by a rule that decrypts as `ssl-forward-proxy`"
    return Finding(grade(settings, DIRECTIVE), place.path, problem, MEND)


def _interceptor(text: str, place: Node, settings: Settings) -> Finding | None:
    run = _RUN.search(text) if "\n" in text.strip() else None
    if run is None:
        return None
    passes = bool(re.search(r"ignore[-_]hosts", text) and GATEWAY_NAME.search(text))
    problem = f"runs {run[1] or run[2]}, which only intercepts TLS"
    return Finding(grade(settings, INTERCEPTOR, passes_gateway=passes), place.path, problem, MEND)
