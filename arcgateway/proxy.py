"""Enterprise proxies: their URLs, what goes round them (the skip range, NO_PROXY), and a command's environment."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from urllib.parse import quote, unquote, urlsplit

#: What the documentation asks for in every skip range, besides the cluster's service range.
DOCUMENTED_MINIMUM = (".svc", ".svc.cluster.local", "kubernetes.default.svc")

#: Words with a meaning of their own in `--proxy-skip-range` (connectedk8s 1.11.2), kept as they are spelt there.
KEYWORDS = {"arc": "Arc", "microsoft.azuremonitor.containers": "Microsoft.AzureMonitor.Containers"}

#: What never goes through a proxy of ours, as in Go: the machine itself.
LOOPBACK = ("127.0.0.1", "::1", "localhost")

_LABEL = r"[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_ENTRY = re.compile(rf"\.?{_LABEL}(?:\.{_LABEL})*(?::\d{{1,5}})?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Fault(Enum):
    """What can be wrong with a proxy's URL."""

    BLANKS = "blanks or control characters"
    NO_SCHEME = "no scheme"
    SCHEME = "a scheme of another kind of proxy"
    UNREADABLE = "no readable host and port"
    TAIL = "something after the port"
    NO_PORT = "no port"
    HOST = "an impossible host"
    CREDENTIALS = "credentials with a stray %"


class ProxyUrlError(ValueError):
    """A text is no proxy's URL; the message never quotes its credentials.

    Attributes:
        fault: what is wrong, for those who may quote nothing at all.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class ProxyUrl:
    """A forward proxy.

    Attributes:
        scheme: `http`, or `https` for a proxy that speaks TLS itself.
        host: a name or an address, IPv6 without brackets.
        port: 1 to 65535.
        username: percent-decoded, None without credentials.
        password: percent-decoded; never shown by `repr` or `redacted`.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, text: str) -> ProxyUrl:
        """Read a proxy's URL.

        Raises:
            ProxyUrlError: no scheme, no port, a path, an impossible host; the message never quotes the credentials.
        """
        text = text.strip()
        if not text.isprintable() or " " in text:
            raise ProxyUrlError(
                Fault.BLANKS,
                "the proxy URL holds blanks or control characters: percent-encode them (%20 is a blank)",
            )
        scheme, separator, _ = text.partition("://")
        if not separator:
            raise ProxyUrlError(
                Fault.NO_SCHEME,
                "the proxy URL has no scheme: write http://HOST:PORT, as curl, Go and Python take it, or https:// for "
                "a proxy that speaks TLS",
            )
        if scheme.lower() not in ("http", "https"):
            raise ProxyUrlError(
                Fault.SCHEME, f"a proxy of scheme {scheme.lower()!r} cannot be used by Arc: give an http or https one"
            )
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ProxyUrlError(
                Fault.UNREADABLE,
                "the proxy URL cannot be read: write http://HOST:PORT, and percent-encode / ? # @ : in its credentials",
            ) from None
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ProxyUrlError(
                Fault.TAIL,
                "the proxy URL goes on after its port: remove the rest, or, where it belongs to the "
                "password, percent-encode / as %2F, ? as %3F, # as %23",
            )
        if port is None or port == 0:
            raise ProxyUrlError(
                Fault.NO_PORT,
                f"the proxy URL for {host or 'no host'} has no port: curl takes 1080, Go and Python 80 or "
                "443, so write it out, for example http://HOST:3128",
            )
        return cls(scheme.lower(), _valid_host(host), port, *_credentials(parts.netloc))

    @property
    def authority(self) -> str:
        """`host:port`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL with percent-encoded credentials: a secret where there are any."""
        if self.username is None:
            return self.redacted()
        password = "" if self.password is None else ":" + quote(self.password, safe="")
        return f"{self.scheme}://{quote(self.username, safe='')}{password}@{self.authority}"

    @property
    def authorization(self) -> str | None:
        """The value of a Proxy-Authorization header, None without credentials."""
        if self.username is None:
            return None
        return "Basic " + base64.b64encode(f"{self.username}:{self.password or ''}".encode()).decode()

    def redacted(self) -> str:
        """The URL without credentials, fit to be shown."""
        return f"{self.scheme}://{self.authority}"

    def without_credentials(self) -> ProxyUrl:
        """The same proxy, asked without a user."""
        return replace(self, username=None, password=None)

    def __repr__(self) -> str:
        return f"ProxyUrl({self.redacted()!r})"


def proxy_url(url: str, username: str | None = None, password: str | None = None) -> ProxyUrl:
    """A proxy, asked as a user where one is given.

    Raises:
        ValueError: the URL is not one of a proxy, a password has no user, or the URL holds credentials besides; the
            message quotes none of them.
    """
    proxy = ProxyUrl.parse(url)
    if username is None and password is None:
        return proxy
    if not username:
        raise ValueError("the password has no user: give the username too")
    if proxy.username is not None:
        raise ValueError("the proxy URL holds credentials, and username is given besides: remove one of the two")
    return replace(proxy, username=username, password=password)


@dataclass(frozen=True)
class ProxySettings:
    """How traffic leaves: through which proxies, and what goes round them.

    Attributes:
        https: for https addresses; also for http ones where `http` is None.
        http: for http addresses.
        skip: the skip range, canonical.
        certificate: PEM text that the agents trust besides, None for none.
    """

    https: ProxyUrl | None = None
    http: ProxyUrl | None = None
    skip: tuple[str, ...] = ()
    certificate: str | None = None

    def __bool__(self) -> bool:
        return self.https is not None or self.http is not None

    def route(self, host: str, port: int = 443) -> ProxyUrl | None:
        """The proxy that an https request to this host goes through; None for a direct one."""
        if host in LOOPBACK or bypasses(host, port, self.skip):
            return None
        return self.https or self.http

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` with the proxy variables, upper and lower case, for a command's own traffic.

        Without a proxy `base` comes back unchanged: the machine's own settings hold. What `base` already sends round
        its proxy stays so, and so does the machine itself.
        """
        env = dict(base)
        if not self:
            return env
        https, http = self.https or self.http, self.http or self.https
        assert https is not None and http is not None
        kept = [*split(base.get("NO_PROXY", "")), *split(base.get("no_proxy", ""))]
        around = ",".join(dict.fromkeys([*self.skip, *kept, *LOOPBACK]))
        for name, value in (("HTTPS_PROXY", https.url), ("HTTP_PROXY", http.url), ("NO_PROXY", around)):
            env[name] = env[name.lower()] = value
        return env


def of_environment(env: Mapping[str, str]) -> ProxySettings:
    """The proxies that this machine's own traffic takes; none where the variables hold no usable URL.

    `no_proxy` goes before `NO_PROXY`, as for curl and Python; Go has it the other way round.
    """
    urls: list[ProxyUrl | None] = []
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        try:
            urls.append(ProxyUrl.parse(env.get(name) or env.get(name.lower()) or ""))
        except ValueError:
            urls.append(None)
    return ProxySettings(
        https=urls[0], http=urls[1], skip=tuple(split(env.get("no_proxy") or env.get("NO_PROXY") or ""))
    )


def split(text: str) -> list[str]:
    """The entries of a skip range in a text, at commas and blanks."""
    return [item for item in re.split(r"[,\s]+", text) if item]


def canonical(entries: str | Iterable[str]) -> tuple[str, ...]:
    """A skip range in its one form: ranges by address, then names, none twice, whatever the order it came in.

    `*.suffix` becomes `.suffix`, which all clients understand; a range with host bits set becomes its network.

    Raises:
        ValueError: an entry that no client, or not every client, understands; the message names it and the mend.
    """
    text = entries if isinstance(entries, str) else ",".join(entries)
    checked = {_entry(item) for item in split(text)}
    return tuple(sorted(checked, key=_order))


def complete(
    entries: str | Iterable[str], *, service_ranges: Iterable[str] = (), api_server: str | None = None
) -> tuple[str, ...]:
    """A skip range with the documented minimum, the cluster's service ranges and its API server's address added.

    A service range inside a range that is there already is not added again.
    """
    present = canonical(entries)
    networks = [network for network in map(_network, present) if network is not None]
    added = [
        str(network)
        for network in (ipaddress.ip_network(text, strict=False) for text in service_ranges)
        if not any(network.version == other.version and _inside(network, other) for other in networks)
    ]
    if api_server and api_server not in LOOPBACK and not bypasses(api_server, 0, present):
        added.append(api_server)
    return canonical([*present, *DOCUMENTED_MINIMUM, *added])


def no_proxy(entries: Iterable[str]) -> str:
    """The skip range as the value of NO_PROXY and of `--proxy-skip-range`: commas, no blanks."""
    return ",".join(entries)


def bypasses(host: str, port: int, entries: Iterable[str]) -> bool:
    """Whether a request to this host goes round the proxy: exact names, suffixes, addresses, ranges, `HOST:PORT`,
    and all of them for a `*`."""
    host = host.lower().rstrip(".").strip("[]")
    address = _address(host)
    for entry in entries:
        entry = entry.lower()
        network = _network(entry)
        if network is not None:
            if address is not None and address in network:
                return True
            continue
        if entry == "*":
            return True
        single = host_and_port(entry)
        if single is not None:
            if single[1] != port:
                continue
            entry = single[0]
        if host == entry.lstrip(".") or (address is None and host.endswith("." + entry.lstrip("."))):
            return True
    return False


def host_and_port(entry: str) -> tuple[str, int] | None:
    """The host and port of an entry that names both; an IPv6 address is in brackets there and none here."""
    name, colon, port = entry.rpartition(":")
    if not colon or not port.isdigit() or not (":" not in name or name.endswith("]")):
        return None
    return name.strip("[]"), int(port)


def _valid_host(host: str) -> str:
    if _address(host) is None and (not _HOST.fullmatch(host) or re.fullmatch(r"[\d.]+", host)):
        raise ProxyUrlError(
            Fault.HOST, "the proxy URL has no valid host: give a name, an IPv4 address, or an IPv6 one in brackets"
        )
    return host


def _credentials(netloc: str) -> tuple[str | None, str | None]:
    userinfo, at, _ = netloc.rpartition("@")
    if not at:
        return None, None
    if re.search(r"%(?![0-9A-Fa-f]{2})", userinfo):
        raise ProxyUrlError(
            Fault.CREDENTIALS, "the credentials in the proxy URL hold a % that starts no code: write it as %25"
        )
    username, colon, password = userinfo.partition(":")
    return unquote(username), unquote(password) if colon else None


def _entry(item: str) -> str:
    if item.lower() in KEYWORDS:
        return KEYWORDS[item.lower()]
    if "://" in item:
        raise ValueError(f"{item!r} in the skip range is a URL: give its host name alone")
    if item == "*":
        raise ValueError("'*' in the skip range would send everything round the proxy: name what should go round it")
    item = item.removeprefix("*").lower()
    if "/" in item:
        try:
            network = ipaddress.ip_network(item, strict=False)
        except ValueError:
            raise ValueError(f"{item!r} in the skip range is no address range: write it like 10.0.0.0/16") from None
        if network.prefixlen == 0:
            raise ValueError(f"{item!r} in the skip range holds every address: name the ranges of the cluster")
        return str(network)
    address = _address(item.strip("[]"))
    if address is not None:
        return str(address)
    if not _ENTRY.fullmatch(item) and not re.fullmatch(r"\[[0-9a-f:.]+\]:\d{1,5}", item):
        raise ValueError(f"{item!r} in the skip range is neither a name, a .suffix, an address nor a range")
    return item


def _order(entry: str) -> tuple[int, int, int, str]:
    network = _network(entry)
    if network is None:
        return (1, 0, 0, entry)
    return (0, network.version, int(network.network_address), f"{network.prefixlen:03d}")


def _network(entry: str) -> Network | None:
    if not entry[:1].isalnum() and not entry.startswith(":"):
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _inside(inner: Network, outer: Network) -> bool:
    return int(outer.network_address) <= int(inner.network_address) and int(inner.broadcast_address) <= int(
        outer.broadcast_address
    )
