"""Loopback addresses of pods: each its own, also among several sandboxes on one machine."""

from __future__ import annotations

import itertools
import socket

#: A UDP port that the node holds on each address as long as a pod has it; a kubelet's, so that no pod wants it. The
#: kernel thus keeps other sandboxes' nodes from the address, and frees it with the node.
CLAIM_PORT = 10250


class NoAddress(Exception):
    """All addresses of the node's network are taken."""


class Addresses:
    """The addresses of one node's pods.

    Args:
        network: their second byte.
    """

    def __init__(self, network: int) -> None:
        self._prefix = f"127.{network}."
        self._numbers = itertools.cycle(range(2, 0xFFFF))
        self._claims: dict[str, socket.socket] = {}

    def claim(self, uid: str, before: str) -> str:
        """An address for a pod: the one that it had before, if that is free, else another.

        Raises:
            NoAddress: there is none.
        """
        if before.startswith(self._prefix) and self._try(uid, before):
            return before
        for number in itertools.islice(self._numbers, 0xFFFF):
            address = f"{self._prefix}{number >> 8}.{number & 255}"
            if self._try(uid, address):
                return address
        raise NoAddress(f"no free address in {self._prefix}0.0/16")

    def release(self, uid: str) -> None:
        """A pod's address may go to another."""
        claim = self._claims.pop(uid, None)
        if claim is not None:
            claim.close()

    def _try(self, uid: str, address: str) -> bool:
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((address, CLAIM_PORT))
        except OSError:
            claim.close()
            return False
        self._claims[uid] = claim
        return True
