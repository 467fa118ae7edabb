"""Ways to a local port, for tests that need one with a will of its own."""

from __future__ import annotations

import socket
import threading
import time
from abc import ABC, abstractmethod
from typing import Self


class Road(ABC):
    """Accepts connections on a free local port, and leads each, in a thread of its own, to another port.

    Attributes:
        port: where it accepts them, once inside `with`.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._listener.close()

    @abstractmethod
    def take(self, client: socket.socket) -> None:
        """See to one connection."""

    def join(self, client: socket.socket, delay: float = 0.0) -> None:
        """Carry both ways until either side ends; what the client sends waits for `delay` seconds each time."""
        server = socket.create_connection(("127.0.0.1", self._target))
        threading.Thread(target=_carry, args=(client, server, delay), daemon=True).start()
        _carry(server, client, 0.0)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self.take, args=(client,), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, delay: float) -> None:
    try:
        while data := source.recv(65536):
            time.sleep(delay)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
