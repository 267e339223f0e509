"""Passwords: argon2id, off the event loop and two at a time, since each takes 19 MiB and 40 ms on purpose."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH, MAX_LENGTH = 12, 200
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Verified for accounts that do not exist, so that the time of an answer does not tell which do.
NOBODY = HASHER.hash("nobody has this password")
_two_at_a_time = asyncio.Semaphore(2)


async def hashed(password: str) -> str:
    async with _two_at_a_time:
        return await asyncio.to_thread(HASHER.hash, password)


async def matches(password: str, hash: str | None) -> bool:
    async with _two_at_a_time:
        right = await asyncio.to_thread(_verify, hash or NOBODY, password[:MAX_LENGTH])
    return right and hash is not None


def _verify(hash: str, password: str) -> bool:
    try:
        return HASHER.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False
