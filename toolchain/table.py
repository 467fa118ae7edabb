"""Which tools the project needs: the versions that will do, and where each comes from."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Range:
    """Versions from `at_least` on, up to but without `below`."""

    at_least: tuple[int, ...]
    below: tuple[int, ...]

    def holds(self, version: str) -> bool:
        """Whether a version such as `1.33.4` is one of these."""
        numbers = tuple(int(part) for part in version.split("."))
        return self.at_least <= numbers < self.below

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.at_least))} up to, not including, {'.'.join(map(str, self.below))}"


@dataclass(frozen=True)
class Download:
    """A vendor's own release.

    Attributes:
        url: the file; `{version}`, `{os}` and `{arch}` (Go's names), and `{x64}` (arm64 or x64) are filled in.
        checksums: the vendor's SHA-256 file: one hash, or a hash and a file name a line.
        folder: where in the archive the programs are; None where the file is the program itself.
        programs: further programs of the archive that are wanted.
    """

    url: str
    checksums: str
    folder: str | None = None
    programs: tuple[str, ...] = ()


@dataclass(frozen=True)
class GoBuild:
    """A build from pinned Go modules.

    Attributes:
        module: the folder beside this file that has the go.mod; those that share one share their compiled packages.
        package: what is built.
        variables: what the linker sets (`-X`).
        embeds: (module, glob in it): files of a pinned module that the package embeds.
    """

    module: str
    package: str
    variables: Mapping[str, str] = field(default_factory=dict)
    embeds: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Tool:
    """One program.

    Attributes:
        name: the program's name.
        version: the version that is fetched or built.
        accepts: the versions of one on PATH that will do.
        ask: arguments that make it print its version; one that prints none is taken from PATH by no one's word.
        download: the vendor's release, where there is one.
        build: how it is built.
        beside: the tool next to which this one is looked for first, and next to which the engine expects it.
        plugin: its name among the plugins that an installed Pulumi keeps, whose folders are named after versions.
        extra: whether it is got only when it is asked for by name.
        equals: programs of other names on PATH that will do in its place.
    """

    name: str
    version: str
    accepts: Range
    ask: tuple[str, ...]
    download: Download | None = None
    build: GoBuild | None = None
    beside: str = ""
    plugin: str = ""
    # What is made does not depend on these two, so they are no part of what it is made by.
    extra: bool = field(default=False, repr=False)
    equals: tuple[str, ...] = field(default=(), repr=False)


PULUMI = "3.274.1"
PULUMI_YAML = "1.25.0"
KUBERNETES_PLUGIN = "4.25.0"
KUBERNETES = "1.33.4"
ETCD = "3.5.21"
HELM = "3.18.6"
OPENTOFU = "1.12.6"
AZAPI = "1.15.0"
ACTIONLINT = "1.7.12"

#: Lower than the language version of the go.mod files, and Go refuses them.
GO = Range((1, 26, 6), (2,))
SQUID = Range((5,), (8,))

#: What fills the pinned version of Kubernetes into a program built from source.
_KUBERNETES_VERSION = {
    "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES}",
    "k8s.io/component-base/version.gitMajor": "1",
    "k8s.io/component-base/version.gitMinor": "33",
}


def _kubernetes(name: str, accepts: Range, *ask: str) -> Tool:
    url = f"https://dl.k8s.io/release/v{{version}}/bin/{{os}}/{{arch}}/{name}"
    return Tool(
        name,
        KUBERNETES,
        accepts,
        ask,
        Download(url, f"{url}.sha256"),
        GoBuild("kubernetes", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES_VERSION),
    )


#: In the order of their making: what the cluster and the engine need comes first.
TOOLS: tuple[Tool, ...] = (
    Tool(
        "etcd",
        ETCD,
        Range((3, 5), (3, 7)),
        ("--version",),
        Download(
            "https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-{os}-{arch}.tar.gz",
            "https://github.com/etcd-io/etcd/releases/download/v{version}/SHA256SUMS",
            folder="etcd-v{version}-{os}-{arch}",
        ),
        GoBuild("kubernetes", "go.etcd.io/etcd/server/v3"),
    ),
    _kubernetes("kube-apiserver", Range((1, 33), (1, 34)), "--version"),
    _kubernetes("kubectl", Range((1, 33), (1, 35)), "version", "--client"),
    _kubernetes("kube-controller-manager", Range((1, 33), (1, 34)), "--version"),
    Tool(
        "pulumi",
        PULUMI,
        Range((3, 270), (4,)),
        ("version",),
        Download(
            "https://get.pulumi.com/releases/sdk/pulumi-v{version}-{os}-{x64}.tar.gz",
            "https://github.com/pulumi/pulumi/releases/download/v{version}/pulumi-{version}-checksums.txt",
            folder="pulumi",
            programs=("pulumi-language-python", "pulumi-language-python-exec", "pulumi-language-yaml"),
        ),
        GoBuild(
            "pulumi",
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            {"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": f"v{PULUMI}"},
        ),
    ),
    Tool(
        "pulumi-language-yaml",
        PULUMI_YAML,
        Range((1, 20), (2,)),
        (),
        Download(
            "https://github.com/pulumi/pulumi-yaml/releases/download/v{version}/pulumi-language-yaml-v{version}-{os}-{arch}.tar.gz",
            "https://github.com/pulumi/pulumi-yaml/releases/download/v{version}/pulumi-yaml_{version}_checksums.txt",
            folder="",
        ),
        GoBuild(
            "yaml",
            "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
            {"github.com/pulumi/pulumi-yaml/pkg/version.Version": f"v{PULUMI_YAML}"},
        ),
        beside="pulumi",
    ),
    Tool(
        "pulumi-resource-kubernetes",
        KUBERNETES_PLUGIN,
        Range((4, 20), (5,)),
        (),
        Download(
            "https://get.pulumi.com/releases/plugins/pulumi-resource-kubernetes-v{version}-{os}-{arch}.tar.gz",
            "https://github.com/pulumi/pulumi-kubernetes/releases/download/v{version}/pulumi-kubernetes_{version}_checksums.txt",
            folder="",
        ),
        GoBuild(
            "kubernetes",
            ".",
            {"main.version": KUBERNETES_PLUGIN},
            embeds=(("github.com/pulumi/pulumi-kubernetes/provider/v4", "cmd/pulumi-resource-kubernetes/*.json"),),
        ),
        plugin="resource-kubernetes",
    ),
    Tool(
        "helm",
        HELM,
        Range((3, 14), (4,)),
        ("version", "--short"),
        Download(
            "https://get.helm.sh/helm-v{version}-{os}-{arch}.tar.gz",
            "https://get.helm.sh/helm-v{version}-{os}-{arch}.tar.gz.sha256sum",
            folder="{os}-{arch}",
        ),
        GoBuild(
            "kubernetes",
            "helm.sh/helm/v3/cmd/helm",
            {"helm.sh/helm/v3/internal/version.version": f"v{HELM}"},
        ),
    ),
    Tool(
        "tofu",
        OPENTOFU,
        Range((1, 6), (2,)),
        ("version",),
        Download(
            "https://github.com/opentofu/opentofu/releases/download/v{version}/tofu_{version}_{os}_{arch}.tar.gz",
            "https://github.com/opentofu/opentofu/releases/download/v{version}/tofu_{version}_SHA256SUMS",
            folder="",
        ),
        GoBuild(
            "opentofu",
            "github.com/opentofu/opentofu/cmd/tofu",
            {"github.com/opentofu/opentofu/version.dev": "no"},
        ),
        extra=True,
        equals=("terraform",),
    ),
    Tool(
        "terraform-provider-azapi",
        AZAPI,
        Range((1, 15), (3,)),
        (),
        build=GoBuild("azapi", "github.com/Azure/terraform-provider-azapi"),
        extra=True,
    ),
    Tool(
        "actionlint",
        ACTIONLINT,
        Range((1, 7), (2,)),
        ("-version",),
        Download(
            "https://github.com/rhysd/actionlint/releases/download/v{version}/actionlint_{version}_{os}_{arch}.tar.gz",
            "https://github.com/rhysd/actionlint/releases/download/v{version}/actionlint_{version}_checksums.txt",
            folder="",
        ),
        build=GoBuild(
            "actionlint",
            "github.com/rhysd/actionlint/cmd/actionlint",
            {"github.com/rhysd/actionlint.version": ACTIONLINT},
        ),
        extra=True,
    ),
)


def this_platform() -> dict[str, str]:
    """What fills the names of a platform into a download's address."""
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return {"os": platform.system().lower(), "arch": arch, "x64": "x64" if arch == "amd64" else arch}
