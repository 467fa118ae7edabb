"""Text files that people edit: read as they are, and replaced as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from arcgateway.errors import Failure


def read(path: Path) -> str:
    """A file's text, with its own line ends.

    Raises:
        Failure: it cannot be read, or is no UTF-8.
    """
    try:
        # As bytes, so that a file's own line ends stay.
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise Failure(f"{path} cannot be read ({reason})", "name a file that can") from None


def replace(path: Path, text: str) -> None:
    """Write a file aside and put it in place, so that no half of it is ever read.

    Raises:
        Failure: it cannot be written.
    """
    aside = path.with_name(f".{path.name}.aside")
    try:
        aside.write_bytes(text.encode())
        if path.exists():
            shutil.copymode(path, aside)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise Failure(f"{path} cannot be written ({error.strerror})", "choose another place") from None
