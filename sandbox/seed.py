"""What a first start makes beyond processes: a login, an existing connected cluster, and the stack."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from sandbox import world
from sandbox.environment import STACK, environment, proxy_url, stack_file
from sandbox.home import PROJECT, Home
from sandbox.recovery import release_lock, settle_creates, state_file

Say = Callable[[str], None]

#: What the existing cluster's agents reach without the proxy: less than the stack declares, so that it has to say more.
SKIP_RANGE = "10.97.0.0/16,kubernetes.default.svc,.svc.cluster.local,.svc"

CLUSTER_OPTIONS = (
    *("--resource-group", world.RESOURCE_GROUP, "--kube-context", world.WEST),
    *("--only-show-errors", "--output", "none"),
)

LIMIT = 180.0  # seconds for one command


class SeedFailed(Exception):
    """A step after the start of the services failed; the message ends with what the command said."""


def steps(home: Home) -> list[tuple[str, Callable[[Say], None]]]:
    """Steps in order, each doing nothing where its work is done already."""
    return [
        ("login", lambda say: _login(home, say)),
        (f"cluster {world.WEST}", lambda say: _connect_existing(home, say)),
        (f"stack {STACK}", lambda say: _stack(home, say)),
    ]


def _login(home: Home, say: Say) -> None:
    if any(home.folder("azure-cli").iterdir()):
        say("already")
        return
    identity = home.identity
    secret = home.write("login-secret", identity.client_secret)
    try:
        _run(
            home,
            *("az", "login", "--service-principal", "--username", identity.client_id),
            *("--password", f"@{secret}", "--tenant", identity.tenant_id),
        )
    finally:
        secret.unlink()


def _connect_existing(home: Home, say: Say) -> None:
    """Connect the second cluster without a gateway, the way it would have been before there was one."""
    done, begun = home.root / "west-connected", home.root / "west-connecting"
    if done.exists():
        say("already")
        return
    if begun.exists():
        # The real client refuses to go on from a half that it was stopped in; what is there is removed first.
        say("begun anew after an interruption")
        _run(home, *("az", "connectedk8s", "delete", "--yes", "--name", world.WEST), *CLUSTER_OPTIONS)
    begun.touch()
    proxy = proxy_url(home)
    _run(
        home,
        *("az", "connectedk8s", "connect", "--name", world.WEST, "--location", world.LOCATION, *CLUSTER_OPTIONS),
        *("--proxy-https", proxy, "--proxy-http", proxy, "--proxy-skip-range", SKIP_RANGE),
    )
    begun.rename(done)
    say("connected without a gateway")


def _stack(home: Home, say: Say) -> None:
    if stack_file(home):
        say(f"configuration in {home.root.name}/Pulumi.{STACK}.yaml")
    for note in settle(home):
        say(note)
    if not stack_exists(home):
        _run(home, "pulumi", "stack", "select", "--create", STACK)


def settle(home: Home) -> list[str]:
    """Clear up after a `pulumi` that was killed; a note for each thing done."""
    return [*release_lock(home, STACK), *settle_creates(home, STACK, lambda *argv: _works(home, *argv))]


def stack_exists(home: Home) -> bool:
    """Whether the stack was ever made in this sandbox's backend."""
    return state_file(home, STACK) is not None


def _works(home: Home, *argv: str) -> bool:
    try:
        _run(home, *argv)
    except SeedFailed:
        return False
    return True


def _run(home: Home, *argv: str) -> None:
    variables = {**os.environ, **environment(home)}
    try:
        done = subprocess.run(
            argv, cwd=PROJECT, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        raise SeedFailed(f"`{' '.join(argv[:3])}` took more than {LIMIT:.0f} s; logs are in {home.root}/logs") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise SeedFailed(f"`{' '.join(argv[:3])}` ended with {done.returncode}: {said}")
