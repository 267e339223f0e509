"""The load: keep-alive connections that each ask, wait for the whole answer, and ask again.

Raw HTTP/1.1 on purpose: a client library costs more than the server that it would measure.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

CONNECTIONS = 16
PATIENCE = 30


@dataclass
class Round:
    """What one round of load saw: answers per second, and how long each took in seconds."""

    rps: float
    took: list[float]


class Asking(asyncio.Protocol):
    """One connection. Every answer must be a success with a Content-Length; anything else ends the round."""

    def __init__(self, requests: Iterator[bytes], until: float, took: list[float]) -> None:
        self.requests, self.until, self.took = requests, until, took
        self.done = asyncio.get_running_loop().create_future()
        self.buffer, self.needed = b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self.buffer, self.needed, self.asked = b"", 0, time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if not self.needed:
            head, end, _ = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            lower = head.lower()
            if lower[9:10] != b"2" or b"\r\ncontent-length: " not in lower:
                return self._fail(f"not a success: {self.buffer[:2000].decode(errors='replace')}")
            length = int(lower.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
            self.needed = len(head) + 4 + length
        if len(self.buffer) < self.needed:
            return
        now = time.perf_counter()
        self.took.append(now - self.asked)
        if now < self.until:
            return self._ask()
        self.transport.close()
        if not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the server hung up: {error}")

    def _fail(self, why: str) -> None:
        self.transport.close()
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))


async def ask(port: int, requests: Iterator[bytes], seconds: float) -> Round:
    """Ask for so many seconds. Raises RuntimeError with the first answer that is no success."""
    loop, took = asyncio.get_running_loop(), list[float]()
    started = time.perf_counter()
    asking = []
    for _ in range(CONNECTIONS):
        _, one = await loop.create_connection(lambda: Asking(requests, started + seconds, took), "127.0.0.1", port)
        asking.append(one.done)
    async with asyncio.timeout(seconds + PATIENCE):
        await asyncio.gather(*asking)
    return Round(len(took) / (time.perf_counter() - started), took)
