"""Kubernetes clusters without machines: one etcd, and for each an API server and a controller manager, all real."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.certificates import certificates, issue
from sandbox.home import Home
from sandbox.service import Service, answering, listening
from sandbox.world import CLUSTERS, EAST, VIRTUAL, WEST

#: Each cluster's range of Service addresses. They differ, because the range belongs into a cluster's own skip list.
SERVICE_RANGES = {cluster: f"10.{96 + number}.0.0/16" for number, cluster in enumerate(CLUSTERS)}

#: Who may sign in, each with a token of its own, so that logs and managed fields tell them apart.
USERS = ("admin", "controllers", "node")

#: Name in the certificate by which an API server shows itself to nodes.
KUBELET_CLIENT = "kubelet-client"

#: One processor each: their many timers otherwise wake threads that look in vain for work, which was a third of the
#: idle time (measured with 1 and 2). And the collector runs earlier than by default, since memory matters more here.
_THRIFTY = {"GOMAXPROCS": "1", "GOGC": "60"}


@dataclass(frozen=True)
class Access:
    """How one user reaches one cluster.

    Attributes:
        server: URL of the API server.
        root: PEM file of the root that signed its certificate.
        token: the user's bearer token, a secret.
    """

    server: str
    root: Path
    token: str


def access(home: Home, cluster: str, user: str = "admin") -> Access:
    """What `user` (one of USERS) needs to talk to `cluster`. The tokens are made on first use."""
    return Access(_server(home, cluster), certificates(home).root, _tokens(home, cluster)[user])


def write_kubeconfig(home: Home) -> Path:
    """Write the kubeconfig for people, readable by its owner alone; the current context is WEST."""
    from sandbox import virtual

    # Virtual ones know the first real one's admin, whose answers they pass on.
    shared = access(home, EAST)
    others = {name: Access(virtual.server(home, name), shared.root, shared.token) for name in VIRTUAL}
    return home.write(home.kubeconfig.name, _kubeconfig(home, tuple(SERVICE_RANGES), "admin", WEST, others))


def services(home: Home) -> list[Service]:
    """etcd, then an API server and a controller manager for each cluster."""
    found = [_etcd(home)]
    for cluster in SERVICE_RANGES:
        found += [_api_server(home, cluster), _controllers(home, cluster)]
    return found


def _etcd(home: Home) -> Service:
    chain, key = issue(home, "etcd", "127.0.0.1", "localhost")
    root = certificates(home).root
    client, peer = (f"https://127.0.0.1:{home.port(name)}" for name in ("etcd", "etcd-peer"))
    return Service(
        name="etcd",
        argv=(
            str(home.tool("etcd")),
            "--name=sandbox",
            f"--data-dir={home.root / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=sandbox={peer}",
            # Everybody on the machine can reach loopback, and secrets lie in here.
            *(
                f"--{side}{flag}"
                for side in ("", "peer-")
                for flag in (f"cert-file={chain}", f"key-file={key}", f"trusted-ca-file={root}", "client-cert-auth")
            ),
            # What a crash of the machine may take is a sandbox's state, and waiting for the disk costs each write.
            "--unsafe-no-fsync",
            # A single member has nobody to tell ten times a second that it leads.
            "--heartbeat-interval=500",
            "--election-timeout=2500",
            "--backend-batch-interval=500ms",
            "--snapshot-count=5000",
            "--max-wals=2",
            "--max-snapshots=2",
            "--log-level=warn",
        ),
        ready=listening(home.port("etcd")),
        env=_THRIFTY,
        ports=("etcd", "etcd-peer"),
    )


def _api_server(home: Home, cluster: str) -> Service:
    name = f"apiserver-{cluster}"
    port = home.port(name)
    folder = home.folder(f"cluster/{cluster}")
    chain, key = issue(
        home,
        name,
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    etcd_chain, etcd_key = issue(home, "etcd-client", "localhost")
    kubelet_chain, kubelet_key = issue(home, KUBELET_CLIENT, "localhost")
    root = certificates(home).root
    return Service(
        name=name,
        argv=(
            str(home.tool("kube-apiserver")),
            f"--etcd-servers=https://127.0.0.1:{home.port('etcd')}",
            f"--etcd-prefix=/{cluster}",
            f"--etcd-cafile={root}",
            f"--etcd-certfile={etcd_chain}",
            f"--etcd-keyfile={etcd_key}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={chain}",
            f"--tls-private-key-file={key}",
            f"--service-cluster-ip-range={SERVICE_RANGES[cluster]}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={folder / 'service-accounts.key'}",
            f"--service-account-key-file={folder / 'service-accounts.pub'}",
            # Pods need not wait for a token that no image of ours asks for.
            "--disable-admission-plugins=ServiceAccount",
            f"--kubelet-client-certificate={kubelet_chain}",
            f"--kubelet-client-key={kubelet_key}",
            f"--kubelet-certificate-authority={root}",
            "--kubelet-preferred-address-types=InternalIP",
            # A loopback address is refused in endpoints, and nobody looks this one up there.
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
            # What costs memory or wakes an idle server, and serves large clusters only.
            "--enable-priority-and-fairness=false",
            "--profiling=false",
            "--etcd-count-metric-poll-period=0",
            "--etcd-db-metric-poll-interval=0",
            "--feature-gates=APIServerIdentity=false",
            "--event-ttl=1h",
            "--shutdown-delay-duration=0s",
        ),
        ready=answering(f"{_server(home, cluster)}/readyz", root),
        env=_THRIFTY,
        after=("etcd", *started_before(cluster)),
        prepare=partial(_prepare_api_server, home, cluster),
        ports=(name,),
    )


def started_before(cluster: str) -> tuple[str, ...]:
    """What a cluster's services wait for: two clusters start at a time, as of ten at once none is ready in time."""
    number = CLUSTERS.index(cluster)
    return (f"apiserver-{CLUSTERS[number - 2]}",) if number >= 2 else ()


def _controllers(home: Home, cluster: str) -> Service:
    name = f"controllers-{cluster}"
    port = home.port(name)
    folder = home.folder(f"cluster/{cluster}")
    chain, key = issue(home, name, "127.0.0.1", "localhost")
    root = certificates(home).root
    return Service(
        name=name,
        argv=(
            str(home.tool("kube-controller-manager")),
            f"--kubeconfig={folder / 'controllers.kubeconfig'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={chain}",
            f"--tls-private-key-file={key}",
            f"--root-ca-file={root}",
            f"--service-account-private-key-file={folder / 'service-accounts.key'}",
            # The endpoint controllers would refuse the pods' loopback addresses again and again. The node answers for
            # names of Services instead (SANDBOX_HOSTS).
            "--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller",
            "--leader-elect=false",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--concurrent-namespace-syncs=4",
            # The node renews its lease rarely, so that it sleeps; its death is not what the sandbox is there to show.
            "--node-monitor-period=15s",
            "--node-monitor-grace-period=120s",
            "--profiling=false",
        ),
        ready=answering(f"https://127.0.0.1:{port}/healthz", root),
        env=_THRIFTY,
        after=(f"apiserver-{cluster}",),
        prepare=_prepare_controllers(home, cluster, folder),
        ports=(name,),
    )


def _prepare_controllers(home: Home, cluster: str, folder: Path) -> Callable[[], None]:
    def prepare() -> None:
        text = _kubeconfig(home, (cluster,), "controllers", cluster)
        home.write(str((folder / "controllers.kubeconfig").relative_to(home.root)), text)

    return prepare


def _prepare_api_server(home: Home, cluster: str) -> None:
    rows = (f"{token},{user},{user},system:masters\n" for user, token in _tokens(home, cluster).items())
    home.write(f"cluster/{cluster}/tokens.csv", "".join(rows))
    if not (home.root / f"cluster/{cluster}/service-accounts.pub").exists():
        private = ec.generate_private_key(ec.SECP256R1())
        home.write(
            f"cluster/{cluster}/service-accounts.key",
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ).decode(),
        )
        home.write(
            f"cluster/{cluster}/service-accounts.pub",
            private.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode(),
        )
    write_kubeconfig(home)


def _server(home: Home, cluster: str) -> str:
    return f"https://127.0.0.1:{home.port(f'apiserver-{cluster}')}"


def _tokens(home: Home, cluster: str) -> dict[str, str]:
    stored = home.root / f"cluster/{cluster}/tokens.json"
    if not stored.exists():
        made = {user: secrets.token_urlsafe(32) for user in USERS}
        home.write(str(stored.relative_to(home.root)), json.dumps(made, indent=2))
    return dict(json.loads(stored.read_text()))


def _kubeconfig(
    home: Home, clusters: tuple[str, ...], user: str, current: str, others: Mapping[str, Access] | None = None
) -> str:
    """JSON, which every reader of YAML takes."""
    ways = {**{cluster: access(home, cluster, user) for cluster in clusters}, **(others or {})}
    roots = base64.b64encode(certificates(home).root.read_bytes()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": current,
            "clusters": [
                {"name": name, "cluster": {"server": way.server, "certificate-authority-data": roots}}
                for name, way in ways.items()
            ],
            "users": [{"name": f"{name}-{user}", "user": {"token": way.token}} for name, way in ways.items()],
            "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-{user}"}} for name in ways],
        },
        indent=2,
    )
