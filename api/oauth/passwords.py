"""Passwords: argon2id, off the event loop and two at a time, since each takes 19 MiB and 40 ms on purpose."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH, MAX_LENGTH = 12, 200
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Verified for accounts that do not exist, so that the time of an answer does not tell which do.
NOBODY = HASHER.hash("nobody has this password")
TWO_AT_A_TIME = ThreadPoolExecutor(2, thread_name_prefix="passwords")


async def hashed(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(TWO_AT_A_TIME, HASHER.hash, password)


async def matches(password: str, hash: str | None) -> bool:
    """Whether this is the password; never, and after the same time, where there is no hash."""
    right = await asyncio.get_running_loop().run_in_executor(TWO_AT_A_TIME, _verify, hash or NOBODY, password)
    return right and hash is not None


def _verify(hash: str, password: str) -> bool:
    try:
        return HASHER.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False
