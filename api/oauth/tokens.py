"""Access tokens (RFC 9068): what one says and how it is signed, and which grant one belongs to."""

import secrets
from datetime import datetime
from uuid import UUID

from joserfc import jwt

from api.auth import ALGORITHM, UNSOUND, signing_key_id
from api.oauth.keys import Keys
from api.settings import Settings
from models.oauth import ACCESS_LIFE, OAuthGrant


def access_token(keys: Keys, settings: Settings, grant: OAuthGrant, scope: str, at: datetime) -> str:
    """A short token for the grant. Roles are not in it: the door reads them live."""
    header = {"typ": "at+jwt", "alg": ALGORITHM, "kid": keys.signing.kid}
    claims = {
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": str(grant.account_id),
        "client_id": grant.client_id,
        "org": str(grant.tenant_id),
        "sid": str(grant.id),
        "scope": scope,
        "iat": int(at.timestamp()),
        "exp": int((at + ACCESS_LIFE).timestamp()),
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(header, claims, keys.signing, algorithms=[ALGORITHM])


def grant_id(keys: Keys, token: str) -> UUID | None:
    """The grant that an access token of ours belongs to, ended or not; None for anything else."""
    try:
        key = keys.known[signing_key_id(token)]
        return UUID(jwt.decode(token, key, algorithms=[ALGORITHM]).claims["sid"])
    except UNSOUND:
        return None
