"""The keys that sign access tokens: encrypted at rest, the current one signs, all of them verify."""

import base64
import contextlib
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlmodel import select

from api.database import engine
from api.oauth.session import as_authority
from api.settings import Settings
from models.oauth import KeyState, OAuthKey

RELOAD_SECONDS = 30
LOCK = text("select pg_advisory_xact_lock(hashtextextended('tracker-keys', 0))")
ENCRYPTION = {"alg": "dir", "enc": "A256GCM"}


class WrongKey(RuntimeError):
    """The key-encryption key is none, or not this database's; the message says what to do."""


def key_encryption_key(settings: Settings) -> OctKey:
    """The key that encrypts the signing keys: from the settings, else from a file that only this user can read.

    Raises WrongKey when it is not 32 bytes in base64url.
    """
    text = (settings.key or _kept(settings.data_dir / "key")).strip()
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise WrongKey(f"{_place(settings)} is not 32 bytes in base64url: set the key that this database began with.")
    return OctKey.import_key(key)


def _place(settings: Settings) -> str:
    return "TRACKER_KEY" if settings.key else str(settings.data_dir / "key")


async def require_key(settings: Settings) -> None:
    """Raise WrongKey unless the signing keys of the database open; the first one is made when there is none."""
    database = engine(settings.database_url or "", pool_size=1)
    try:
        await Keys.load(async_sessionmaker(database, class_=AsyncSession, expire_on_commit=False), settings)
    except JoseError:
        raise WrongKey(
            f"{_place(settings)} does not open the signing keys of this database: set the key that it began with."
        ) from None
    finally:
        await database.dispose()


def _kept(path: Path) -> str:
    """What the file holds; made at first use, and in one step, since another process may be starting too."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
            draft.write(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
            draft.flush()
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text()


class Keys:
    """What signs and what verifies. `signing` is the current key; `public` finds any published one by its kid."""

    def __init__(self, sessions: async_sessionmaker[Any], wrapping: OctKey) -> None:
        self.sessions, self.wrapping = sessions, wrapping
        self.known: dict[str, ECKey] = {}
        self.signing: ECKey
        self.asked_at = 0.0

    @classmethod
    async def load(cls, sessions: async_sessionmaker[Any], settings: Settings) -> "Keys":
        """All keys of the database; the first one is made when there is none."""
        keys = cls(sessions, key_encryption_key(settings))
        await keys._reload()
        return keys

    async def public(self, kid: str) -> ECKey:
        """The key of that name, or KeyError. An unknown one may be new: the database is asked, at most every 30 s."""
        if kid not in self.known and time.monotonic() - self.asked_at > RELOAD_SECONDS:
            await self._reload()
        return self.known[kid]

    def jwks(self) -> dict[str, Any]:
        """The published keys (RFC 7517), without their private parts."""
        return {"keys": [{**key.as_dict(private=False), "use": "sig", "alg": "ES256"} for key in self.known.values()]}

    async def _reload(self) -> None:
        self.asked_at = time.monotonic()
        async with as_authority(self.sessions) as session:
            await session.execute(LOCK)
            rows = (await session.execute(select(OAuthKey))).scalars().all()
            if not rows:
                rows = [self._made()]
                session.add(rows[0])
        self.known = {row.kid: self._opened(row) for row in rows}
        self.signing = next(self.known[row.kid] for row in rows if row.state == KeyState.CURRENT)

    def _made(self) -> OAuthKey:
        key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
        sealed = jwe.encrypt_compact(ENCRYPTION, key.as_pem(private=True), self.wrapping)
        return OAuthKey(kid=key.thumbprint(), private_key=sealed, state=KeyState.CURRENT)

    def _opened(self, row: OAuthKey) -> ECKey:
        pem = jwe.decrypt_compact(row.private_key, self.wrapping).plaintext
        return ECKey.import_key(pem or b"", {"alg": "ES256", "use": "sig", "kid": row.kid})
