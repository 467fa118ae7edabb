"""An allowlist in the forms that proxies, firewalls and clusters read. One table says which there are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arcgateway import azure_firewall, egress
from arcgateway.allowlist import Entry
from arcgateway.proxy import ProxyUrl
from arcgateway.times import rfc3339

COLUMNS = (
    *("host", "port", "protocol", "hop", "scenario", "edition", "carried", "state", "removableAt"),
    *("purpose", "source", "checked"),
)


@dataclass(frozen=True)
class Sheet:
    """What is to be written.

    Attributes:
        entries: the names, each with its port once.
        heading: one line on what they are for, for the forms that take comments.
        proxy: the enterprise proxy, which stands before all of it where pods may reach that alone.
    """

    entries: Sequence[Entry]
    heading: str
    proxy: ProxyUrl | None = None

    @property
    def ports(self) -> list[int]:
        """All ports, ascending."""
        return sorted({entry.endpoint.port for entry in self.entries})

    def on(self, port: int) -> list[Entry]:
        """The entries of one port."""
        return [entry for entry in self.entries if entry.endpoint.port == port]


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        write: makes the text of it.
        about: what it is, for help.
        limits: what the form cannot say, to be told beside it.
    """

    write: Callable[[Sheet], str]
    about: str
    limits: str = ""


def render(form: str, sheet: Sheet) -> str:
    """The text of an allowlist in one of `FORMS`.

    Raises:
        ValueError: there is no such form.
    """
    if form not in FORMS:
        raise ValueError(f"unknown format {form!r}: give one of {', '.join(FORMS)}")
    return FORMS[form].write(sheet)


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    )
    return "".join(f"{line}\n" for line in lines)


def _table(sheet: Sheet) -> str:
    states = {entry.state for entry in sheet.entries}
    columns: dict[str, Callable[[Entry], str]] = {
        "HOST": lambda entry: entry.endpoint.host,
        "PORT": lambda entry: str(entry.endpoint.port),
        "PROTOCOL": lambda entry: entry.endpoint.protocol,
        **({"STATE": lambda entry: entry.state} if len(states) > 1 else {}),
        **({"CLOSE": _when} if "removable" in states else {}),
        "HOP": lambda entry: entry.endpoint.hop,
        "SCENARIO": lambda entry: entry.endpoint.scenario,
        "PURPOSE": lambda entry: entry.endpoint.purpose,
    }
    return aligned(tuple(columns), [tuple(cell(entry) for cell in columns.values()) for entry in sheet.entries])


def _when(entry: Entry) -> str:
    if entry.state != "removable":
        return "-"
    if entry.waiting:
        return f"not before {', '.join(entry.waiting[:3])}{' ...' if len(entry.waiting) > 3 else ''} is associated"
    return f"from {rfc3339(entry.removable_at)}" if entry.removable_at else "an hour after the last association"


def _json(sheet: Sheet) -> str:
    return json.dumps([entry.as_json() for entry in sheet.entries], indent=2) + "\n"


def _csv(sheet: Sheet) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for entry in sheet.entries:
        writer.writerow({key: "" if value is None else value for key, value in entry.as_json().items()})
    return text.getvalue()


def _plain(sheet: Sheet) -> str:
    return "".join(f"{entry.endpoint.host}:{entry.endpoint.port}\n" for entry in sheet.entries)


def squid_domains(hosts: Iterable[str]) -> list[str]:
    """Host names as values of one `dstdomain` ACL, whose `.suffix` admits the suffix and all below it.

    A name that another value admits is left out: squid warns of it, or refuses the file, whichever comes first.
    """
    values = sorted({host.removeprefix("*") if host.startswith("*.") else host for host in map(str.lower, hosts)})
    suffixes = [value for value in values if value.startswith(".")]
    return [
        value
        for value in values
        if not any(suffix != value and f".{value.lstrip('.')}".endswith(suffix) for suffix in suffixes)
    ]


def _squid(sheet: Sheet) -> str:
    lines = [
        *_comments(sheet.heading),
        "# Include it above the first `http_access deny` that could meet it (also `deny CONNECT !SSL_ports`, where a",
        "# port besides 443 is listed): the first line that matches decides. `.suffix` admits the suffix itself too.",
        "acl arc_connect method CONNECT",
    ]
    for port in sheet.ports:
        lines += ["", f"acl arc_port_{port} port {port}"]
        lines += [
            f"acl arc_hosts_{port} dstdomain -n {value}"
            for value in squid_domains(entry.endpoint.host for entry in sheet.on(port))
        ]
        lines.append(f"http_access allow arc_connect arc_port_{port} arc_hosts_{port}")
    return "\n".join(lines) + "\n"


def _azure_firewall(sheet: Sheet) -> str:
    return json.dumps(azure_firewall.template(sheet.entries, sheet.heading), indent=2) + "\n"


def _edl(sheet: Sheet) -> str:
    return "".join(f"{host}/\n" for host in dict.fromkeys(entry.endpoint.host for entry in sheet.entries))


def _network_policy(sheet: Sheet) -> str:
    way = f"the proxy {sheet.proxy.redacted()}" if sheet.proxy else f"any address on {_spoken(sheet.ports)}"
    comments = [
        sheet.heading,
        f"A NetworkPolicy cannot name hosts. This one lets the agents out to {way},",
        "to the API server, to each other and to name resolution; the names are left to the proxy or the firewall.",
    ]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "arc-agents-egress", "namespace": egress.NAMESPACE},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": egress.network_policy_rules(sheet.proxy, sheet.ports),
        },
    }
    return _manifest(comments, policy)


def _cilium(sheet: Sheet) -> str:
    comments = [
        sheet.heading,
        "toFQDNs knows the addresses of a name from the pods' own look-ups, so that Cilium's DNS proxy must see them:",
        "the second rule. `*` in a matchPattern stands for one label. Extensions in other namespaces are not held.",
    ]
    if sheet.proxy:
        comments.append(
            f"Behind {sheet.proxy.redacted()} pods look up no name but the proxy's: the names are its to check."
        )
    policy = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "arc-agents-egress", "namespace": egress.NAMESPACE},
        "spec": {
            "endpointSelector": {},
            "egress": [
                {"toEntities": ["kube-apiserver"]},
                {
                    "toEndpoints": [
                        {
                            "matchLabels": {
                                "k8s:io.kubernetes.pod.namespace": "kube-system",
                                "k8s:k8s-app": "kube-dns",
                            }
                        }
                    ],
                    "toPorts": [
                        {
                            "ports": [{"port": str(egress.DNS_PORT), "protocol": "ANY"}],
                            "rules": {"dns": [{"matchPattern": "*"}]},
                        }
                    ],
                },
                {"toEndpoints": [{}]},
                *_cilium_ways_out(sheet),
            ],
        },
    }
    return _manifest(comments, policy)


def _cilium_ways_out(sheet: Sheet) -> list[dict[str, Any]]:
    if sheet.proxy:
        cidr = egress.address_range(sheet.proxy.host)
        to = {"toCIDR": [cidr]} if cidr else {"toFQDNs": [{"matchName": sheet.proxy.host}]}
        return [{**to, "toPorts": [_cilium_port(sheet.proxy.port)]}]
    return [
        {
            "toFQDNs": [
                {"matchPattern" if "*" in host else "matchName": host}
                for host in (entry.endpoint.host for entry in sheet.on(port))
            ],
            "toPorts": [_cilium_port(port)],
        }
        for port in sheet.ports
    ]


def _cilium_port(port: int) -> dict[str, Any]:
    return {"ports": [{"port": str(port), "protocol": "TCP"}]}


def _manifest(comments: Sequence[str], document: Mapping[str, Any]) -> str:
    import yaml  # slow to import, and two forms alone need it

    return "\n".join([*(f"# {line}" for line in comments), yaml.safe_dump(document, sort_keys=False)])


def _comments(*texts: str) -> list[str]:
    return [f"# {text}" for text in texts]


def _spoken(ports: Sequence[int]) -> str:
    return " and ".join(map(str, ports))


_NO_PORTS = "holds no ports: {ports} are the security rule's service objects to open"

FORMS: Mapping[str, Form] = {
    "table": Form(_table, "for people"),
    "json": Form(_json, "all that is known of each name"),
    "csv": Form(_csv, "the same for spreadsheets"),
    "plain": Form(_plain, "HOST:PORT, one a line"),
    "squid": Form(_squid, "ACLs and http_access lines to include in squid.conf"),
    "azure-firewall": Form(_azure_firewall, "a template that makes a rule collection group in a firewall policy"),
    # docs.paloaltonetworks.com/advanced-url-filtering: guidelines for URL category exceptions (no scheme, one entry a
    # line, a trailing slash where the name ends; `*.x/` is what has a label before x).
    "edl": Form(_edl, "a Palo Alto external dynamic list of type URL", _NO_PORTS),
    "networkpolicy": Form(_network_policy, "a Kubernetes NetworkPolicy for azure-arc", "cannot name hosts"),
    "cilium": Form(_cilium, "a CiliumNetworkPolicy for azure-arc, with toFQDNs"),
}
