"""The keys that sign access tokens: encrypted at rest, the current one signs, all of them verify."""

import base64
import os
import secrets
import time
from pathlib import Path
from typing import Any

from joserfc import jwe
from joserfc.jwk import ECKey, KeySet, OctKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel import select

from api.oauth.session import as_authority
from api.settings import Settings
from models.errors import Unauthenticated
from models.oauth import KeyState, OAuthKey

RELOAD_SECONDS = 30
LOCK = text("select pg_advisory_xact_lock(hashtextextended('tracker-keys', 0))")
ENCRYPTION = {"alg": "dir", "enc": "A256GCM"}


def key_encryption_key(settings: Settings) -> OctKey:
    """The key that encrypts the signing keys: from the settings, else a file that only this user can read."""
    text = settings.key or _kept(settings.data_dir / "key")
    return OctKey.import_key(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _kept(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with open(descriptor, "w") as file:
        text = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        file.write(text)
    return text


class Keys:
    """What signs and what verifies. `signing` is the current key; `public` finds any published one by its kid."""

    def __init__(self, sessions: async_sessionmaker[Any], wrapping: OctKey) -> None:
        self.sessions, self.wrapping = sessions, wrapping
        self.known: dict[str, ECKey] = {}
        self.signing: ECKey
        self.loaded_at = 0.0

    @classmethod
    async def load(cls, sessions: async_sessionmaker[Any], settings: Settings) -> "Keys":
        """All keys of the database; the first one is made when there is none."""
        keys = cls(sessions, key_encryption_key(settings))
        await keys._reload()
        return keys

    async def public(self, kid: str) -> KeySet:
        """The key of that name. An unknown one may be new: the database is asked, at most every 30 s."""
        if kid not in self.known and time.monotonic() - self.loaded_at > RELOAD_SECONDS:
            await self._reload()
        if kid not in self.known:
            raise Unauthenticated("invalid-token", "The access token was signed by no key of ours: ask for a new one.")
        return KeySet([self.known[kid]])

    def jwks(self) -> dict[str, Any]:
        """The published keys (RFC 7517), without their private parts."""
        return {"keys": [{**key.as_dict(private=False), "use": "sig", "alg": "ES256"} for key in self.known.values()]}

    async def _reload(self) -> None:
        async with as_authority(self.sessions) as session:
            await session.execute(LOCK)
            rows = (await session.execute(select(OAuthKey))).scalars().all()
            if not rows:
                rows = [self._made()]
                session.add(rows[0])
        self.known = {row.kid: self._opened(row) for row in rows}
        self.signing = next(self.known[row.kid] for row in rows if row.state == KeyState.CURRENT)
        self.loaded_at = time.monotonic()

    def _made(self) -> OAuthKey:
        key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
        sealed = jwe.encrypt_compact(ENCRYPTION, key.as_pem(private=True), self.wrapping)
        return OAuthKey(kid=key.thumbprint(), private_key=sealed, state=KeyState.CURRENT)

    def _opened(self, row: OAuthKey) -> ECKey:
        pem = jwe.decrypt_compact(row.private_key, self.wrapping).plaintext
        return ECKey.import_key(pem or b"", {"alg": "ES256", "use": "sig", "kid": row.kid})
