"""Runs one Pulumi program; started by the language host, with the Python of the program's own environment.

It knows the SDK alone and nothing of this project, because it runs wherever the program's environment is. All that it
needs comes in environment variables; its arguments are the program and what the program gets as arguments.
Exit codes: 0, 1 for an error that was not shown, 32 for one that the engine has already been told of.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

#: What the engine's protocol calls "bail": the message has been shown, say no more.
SHOWN = 32

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, so that a killed host leaves no orphan.

    Elsewhere than on Linux this does nothing: there the program notices that the engine has gone.

    Args:
        parent: the process id that the caller expects as the parent; if it is gone already, the process ends at once.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str], environment: MutableMapping[str, str]) -> int:
    """Run a program (`PROGRAM ARGUMENT...`), become another one (`--become PARENT COMMAND...`),
    or wait for the order to run one (`--stand-by PARENT`)."""
    if arguments[:1] == ["--become"]:
        end_with_parent(int(arguments[1]))
        os.execv(arguments[2], arguments[2:])
    del sys.path[0]  # this file's folder: its modules are none of the program's business
    if arguments[:1] == ["--stand-by"]:
        end_with_parent(int(arguments[1]))
        arguments = _stand_by(environment)
        if not arguments:
            return 0  # the engine wanted no program after all
    end_with_parent(int(environment.pop("PULUMI_LANGUAGE_HOST_PID")))
    try:
        import pulumi  # noqa: F401  # looked at here, where a missing SDK can be explained
    except ImportError:
        print(traceback.format_exc(), file=sys.stderr)
        print(
            f"The Pulumi SDK is not installed for {sys.executable}: run `pulumi install` in the project's folder.",
            file=sys.stderr,
        )
        return 1
    return _run(arguments[0], arguments[1:], environment)


def _stand_by(environment: MutableMapping[str, str]) -> list[str]:
    """Import what every program needs, then wait for the order on standard input; returns the arguments in it."""
    # An engine that wants no program, as for a destroy, interrupts this one: it has nothing to say about that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.suppress(ImportError):
        import pulumi  # noqa: F401
    order = json.loads(sys.stdin.buffer.read() or "{}")
    if order:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        environment.clear()
        environment.update(order["environment"])
        os.chdir(order["folder"])
    return list(order.get("arguments", []))


def _run(program: str, arguments: list[str], environment: Mapping[str, str]) -> int:
    import grpc
    import pulumi
    import pulumi.runtime

    parallel = int(environment["PULUMI_PARALLEL"])
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=environment["PULUMI_PROJECT"],
            stack=environment["PULUMI_STACK"],
            parallel=parallel,
            engine=environment["PULUMI_ENGINE"],
            monitor=environment["PULUMI_MONITOR"],
            dry_run=environment["PULUMI_DRY_RUN"] == "true",
            organization=environment.get("PULUMI_ORGANIZATION"),
            root_directory=environment["PULUMI_ROOT_DIRECTORY"],
        )
    )
    os.chdir(environment["PULUMI_PWD"])
    path = Path(program).resolve()
    sys.argv[1:] = arguments
    if path.is_file():
        sys.path.insert(0, str(path.parent))
    elif not (path / "__main__.py").is_file():
        pulumi.log.error(f"there is no program in {path}: it has no __main__.py")
        return SHOWN

    # An update that fails leaves futures that nobody awaits; asyncio would complain of each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    workers = ThreadPoolExecutor(max_workers=max(parallel, 1) * 4)
    loop.set_default_executor(workers)

    def run() -> None:
        runpy.run_path(str(path), run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
    except pulumi.RunError as problem:
        pulumi.log.error(str(problem))
        return SHOWN
    except grpc.RpcError as problem:
        if getattr(problem, "code", lambda: None)() == grpc.StatusCode.UNAVAILABLE:
            return SHOWN  # the engine has ended the update, and has said why
        pulumi.log.error(_message(path))
        return SHOWN
    except Exception:
        pulumi.log.error(_message(path))
        return SHOWN
    except KeyboardInterrupt:
        os._exit(130)  # the engine cancels: its own message is enough
    finally:
        workers.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _message(program: Path) -> str:
    """The traceback of the exception being handled, from the program's own first line on."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    own = program / "__main__.py" if program.is_dir() else program
    depth = next(
        (len(frames) - index for index, frame in enumerate(frames) if Path(frame.filename).resolve() == own),
        len(frames),
    )
    return "Program failed with an unhandled exception:\n" + traceback.format_exc(limit=-depth)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
