"""The environment through which everything outside reaches the sandbox: `python -m sandbox env`."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox import plugin_choice
from sandbox.certificates import certificates
from sandbox.home import PATH_PREFIX, PROJECT, Home

FOLLOW_EVERY = 0.1  # seconds between two looks at the tracked stack file

STACK = "dev"
STACK_FILE = "Pulumi.dev.yaml"

#: In the tracked stack file these stand for what only a running sandbox knows.
PROXY_PLACEHOLDER = "http://127.0.0.1:3128"
ROOTS_PLACEHOLDER = "genuineRoots: []"

#: The stack holds nothing that needs hiding, and its encryption salt is tracked beside it.
PASSPHRASE = "sandbox"  # noqa: S105 a passphrase that everybody may know


def environment(home: Home) -> dict[str, str]:
    """Variables by name. PATH starts with the sandbox's programs and goes on with the caller's."""
    identity, files = home.identity, certificates(home)
    arm = f"localhost:{home.port('azure')}"
    search = [*map(str, PATH_PREFIX)]
    if (doubles := plugin_choice.folder(home)) is not None:
        search.append(str(doubles))
    ids = {
        "SUBSCRIPTION_ID": identity.subscription_id,
        "TENANT_ID": identity.tenant_id,
        "CLIENT_ID": identity.client_id,
        "CLIENT_SECRET": identity.client_secret,
    }
    return {
        "PATH": os.pathsep.join([*search, *_without(search, os.environ.get("PATH", ""))]),
        "SANDBOX_HOME": str(home.root),
        "SANDBOX_ARM_URL": f"https://{arm}",
        "SANDBOX_PROXY_URL": proxy_url(home),
        "PULUMI_HOME": str(home.folder("pulumi")),
        "PULUMI_BACKEND_URL": f"file://{home.folder('backend')}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_OPTION_CONFIG_FILE": str(home.root / STACK_FILE),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "KUBECONFIG": str(home.kubeconfig),
        "KUBECACHEDIR": str(home.folder("kube-cache")),
        "AZURE_CONFIG_DIR": str(home.folder("azure-cli")),
        "ARM_METADATA_HOSTNAME": arm,
        **{f"ARM_{name}": value for name, value in ids.items()},
        **{f"AZURE_{name}": value for name, value in ids.items()},
        "SSL_CERT_FILE": str(files.bundle),
        "REQUESTS_CA_BUNDLE": str(files.bundle),
    }


def proxy_url(home: Home) -> str:
    """The enterprise proxy, as clients on this machine name it."""
    return f"http://127.0.0.1:{home.port('proxy')}"


def exports(variables: Mapping[str, str]) -> str:
    """Lines for a POSIX shell to read."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def stack_file(home: Home, tracked: Path = PROJECT / STACK_FILE) -> bool:
    """Bring the sandbox's copy of the stack's configuration up to date with the tracked file.

    The copy is the tracked text with the placeholders filled in. It is left alone while its source is unchanged, so
    that what `pulumi config set` wrote into it stays.

    Returns:
        Whether it was written.
    """
    root = certificates(home).root.read_text()
    filled = (
        tracked.read_text()
        .replace(PROXY_PLACEHOLDER, proxy_url(home))
        .replace(ROOTS_PLACEHOLDER, f"genuineRoots: [{_yaml_string(root)}]")
    )
    source = home.root / f".{STACK_FILE}.source"
    if source.exists() and source.read_text() == filled and (home.root / STACK_FILE).exists():
        return False
    home.write(STACK_FILE, filled)
    home.write(source.name, filled)
    return True


def follow_stack_file(home: Home) -> None:
    """Keep the copy up to date for ever, so that an edit of the tracked file counts in the very next command."""
    seen: object = None
    while True:
        with contextlib.suppress(FileNotFoundError):  # an editor may write it aside and rename
            now = (PROJECT / STACK_FILE).stat().st_mtime_ns
            if now != seen:
                stack_file(home)
                seen = now
        time.sleep(FOLLOW_EVERY)


def _yaml_string(text: str) -> str:
    return '"' + text.replace("\n", "\\n") + '"'


def _without(front: list[str], path: str) -> list[str]:
    return [entry for entry in path.split(os.pathsep) if entry and entry not in front]
