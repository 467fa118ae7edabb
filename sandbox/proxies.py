"""The enterprise proxy of the sandbox: a real squid, or a stand-in of ours where there is none.

Either listens on the port `proxy` and leads everything to the router, as a proxy in a closed network leads to the one
way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import hashlib
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.forward_proxy import READINESS_HOST, Exchange, Stream, Upstream, listen, serve, until_told_to_stop
from sandbox.home import PROJECT, Home, MissingTool
from sandbox.outbound import Proxy, dial
from sandbox.service import Service

SYSTEM_SQUIDS = ("/usr/sbin/squid", "/usr/local/sbin/squid")

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108

#: squid does not run as root; it runs as the first of these that the machine has.
UNPRIVILEGED = ("proxy", "squid", "nobody")

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG = 1, 2

# Paths are relative to squid's folder, its working directory, which another user can use where he cannot reach it.
ROADS = """\
http_port 127.0.0.1:{port}
visible_hostname sandbox-proxy
# the one way out; a refusal of the router's is no reason to think it dead
cache_peer 127.0.0.1 parent {router} 0 no-query no-digest default connect-fail-limit=1000000000
never_direct allow all

acl open_ports port 80 443 8084
acl local dstdom_regex -n -i ^(localhost|127\\.|\\[?::1)
http_access deny !open_ports
http_access deny local
http_access allow all

acl readiness dstdomain -n {readiness}
acl asked has request
access_log stdio:access.log squid asked !readiness
hosts_file none
"""

SURROUNDINGS = """\
{user}
cache_log cache.log
cache_store_log none
logfile_rotate 0
pid_filename squid.pid
coredump_dir none

cache deny all
cache_mem 0
memory_pools off
memory_cache_shared off
client_db off
max_filedescriptors 2048
shutdown_lifetime 0 seconds

# nothing outside this machine is asked
dns_nameservers 127.0.0.1
pinger_enable off
unlinkd_program {no_helper}
mime_table mime.conf
icon_directory .
{errors}
"""


@dataclass(frozen=True)
class Squid:
    """A squid that runs on this machine."""

    program: Path
    version: str


def services(home: Home) -> list[Service]:
    """The service `proxy`."""
    squid = find_squid()
    return [squid_service(home, squid) if squid else stand_in_service(home)]


def proxy_kind(home: Home) -> str:
    """What `services` runs as the proxy: `squid 5.7`, say, or `stand-in`."""
    squid = find_squid()
    return f"squid {squid.version}" if squid else "stand-in"


@functools.cache
def find_squid() -> Squid | None:
    """The tool chain's squid or the system's, None where none of them runs."""
    candidates = [*SYSTEM_SQUIDS]
    with contextlib.suppress(MissingTool):
        candidates.insert(0, str(Home.tool("squid")))
    for program in filter(os.path.exists, candidates):
        try:
            told = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        _, _, version = told.partition("Version ")
        if version:
            return Squid(Path(program), version.split()[0])
    return None


def squid_service(home: Home, squid: Squid) -> Service:
    """The proxy as squid."""
    return Service(
        name="proxy",
        argv=(sys.executable, "-m", "sandbox.proxies", str(squid.program)),
        ready=functools.partial(leads_to_router, home.port("proxy")),
        env={"PYTHONPATH": str(PROJECT)},
        after=("edge",),
        prepare=functools.partial(prepare_squid, home, squid.program),
        ports=("proxy",),
    )


def stand_in_service(home: Home) -> Service:
    """The proxy as a process of ours."""
    return Service(
        name="proxy",
        argv=(sys.executable, "-m", "sandbox.proxies"),
        ready=functools.partial(leads_to_router, home.port("proxy")),
        env={"PYTHONPATH": str(PROJECT)},
        after=("edge",),
        ports=("proxy",),
    )


def leads_to_router(port: int) -> bool:
    """Whether the proxy hands a CONNECT on. One that only listens may not have found its parent yet, and refuse."""
    request = f"CONNECT {READINESS_HOST}:443 HTTP/1.1\r\nHost: {READINESS_HOST}:443\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).startswith(b"HTTP/1.1 502 ")
    except OSError:
        return False


def instance_name(home: Home) -> str:
    """squid's service name, of this sandbox alone: two instances of one name share memory and collide."""
    return "arc" + hashlib.sha256(str(home.root).encode()).hexdigest()[:16]


def prepare_squid(home: Home, program: Path) -> None:
    """Write the folder of the sandbox's own squid."""
    write_squid(
        home, program, ROADS.format(port=home.port("proxy"), router=home.port("router"), readiness=READINESS_HOST)
    )


def write_squid(home: Home, program: Path, roads: str) -> None:
    """Write a squid's folder, and take away what a killed one has left: itself, its pid file and shared memory.

    Args:
        home: whose folder `squid` it is.
        program: the squid that will run.
        roads: what its configuration says of ports and ways; how it lives on this machine is added.
    """
    folder = home.folder("squid")
    _end_leftover(home)
    for stale in (folder / "squid.pid", *SHARED_MEMORY.glob(f"{instance_name(home)}-*")):
        stale.unlink(missing_ok=True)
    templates = _error_templates(program)
    if templates is not None:
        shutil.copytree(templates, folder / "errors", dirs_exist_ok=True, copy_function=shutil.copyfile)
    home.write("squid/mime.conf", "")
    user = _unprivileged_user()
    surroundings = SURROUNDINGS.format(
        user=f"cache_effective_user {user.pw_name}" if user else "",
        no_helper=shutil.which("true"),
        errors="error_directory errors" if templates else "",
    )
    home.write("squid/squid.conf", f"{roads}\n{surroundings}")
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)


def _end_leftover(home: Home) -> None:
    """End the squid of a killed sandbox, told from any other process by the instance's name."""
    try:
        left = psutil.Process(int((home.root / "squid/squid.pid").read_text()))
        if instance_name(home) in left.cmdline():
            left.kill()
            left.wait(timeout=5)
    except (FileNotFoundError, ValueError, psutil.Error):
        pass


def _error_templates(program: Path) -> Path | None:
    """The texts of squid's error pages, under the root where it was installed or unpacked."""
    bases = program.resolve().parents
    places = (base / share / "squid/errors/templates" for base in bases for share in ("share", "usr/share"))
    return next((place for place in places if place.is_dir()), None)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Whom to become; None where we are nobody special already."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next((known[name] for name in UNPRIVILEGED if name in known), None)


def become_squid(home: Home, program: Path) -> None:
    """Turn this process into squid, in its folder.

    Root becomes an ordinary user first. squid would do so by itself, but the kernel then forgets that the process
    is to end with the supervisor. So this is left to squid only where that user cannot reach the program (a project
    below /root), and a second process sees to the end.
    """
    os.chdir(home.folder("squid"))
    user = _unprivileged_user()
    if user is not None and _open_to_all(program.resolve()):
        signum, parent = _death_signal(), os.getppid()
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        _ask_for_death_signal(signum)
        if os.getppid() != parent:
            sys.exit("the supervisor ended while squid was being started")
    elif user is not None and sys.platform == "linux":
        _fork_watcher(os.getppid())
    os.execv(program, [str(program), "-N", "-f", "squid.conf", "-n", instance_name(home)])


def _open_to_all(program: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (program, *program.parents))


def _death_signal() -> int:
    """The signal that this process gets when its parent ends; 0 for none, and where there is no such thing."""
    signum = ctypes.c_int(0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(signum))
    return signum.value


def _ask_for_death_signal(signum: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)


def _fork_watcher(parent: int) -> None:
    """Start a process that lives as long as this one, and ends it when `parent` ends."""
    parents_end, our_end = os.pidfd_open(parent), os.pidfd_open(os.getpid())
    if os.fork():
        return
    ends = select.poll()
    for end in (parents_end, our_end):
        ends.register(end, select.POLLIN)
    if parents_end in dict(ends.poll()):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(our_end, signal.SIGTERM)
    os._exit(0)


async def stand_in(home: Home) -> None:
    """Run the stand-in until told to stop: any host on squid's ports, by way of the router."""
    router = Proxy("127.0.0.1", home.port("router"))

    async def open_upstream(_: Exchange, host: str, port: int) -> Upstream:
        return Upstream(await dial(host, port, router), f"{host}:{port}")

    def record(exchange: Exchange) -> None:
        if not exchange.is_look:
            print(f"{exchange.started:%Y-%m-%dT%H:%M:%SZ} {exchange.target} {exchange.status}", flush=True)

    async def handle(client: Stream) -> None:
        await serve(client, open_upstream, record)

    async with listen("127.0.0.1", home.port("proxy"), handle):
        await until_told_to_stop()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        become_squid(Home.default(), Path(sys.argv[1]))
    asyncio.run(stand_in(Home.default()))
