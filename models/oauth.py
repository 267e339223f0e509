"""Who signs in, through which client, and what they granted: the tables of the authorization server.

They belong to no tenant, for they are how a tenant is found; only the role tracker_auth may touch them. Secrets are
stored as hashes: codes, tokens and client secrets are 256 random bits, so SHA-256 is right; passwords are argon2id.
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from models.base import INSTANT, choice, now, uuid7

CODE_LIFE, ACCESS_LIFE, REFRESH_LIFE = timedelta(seconds=60), timedelta(minutes=5), timedelta(days=30)
SESSION_LIFE, SESSION_IDLE, LINK_LIFE = timedelta(hours=12), timedelta(minutes=30), timedelta(days=7)
# Failed sign-ins count for an hour; after these many, each next one waits twice as long as the last.
FAILURES_COUNT, LONGEST_PAUSE = timedelta(hours=1), timedelta(minutes=5)
FREE_PER_ACCOUNT, FREE_PER_ADDRESS = 5, 50
SECRET_PREFIX = "cet_"
LAST_USED_GRAIN = timedelta(minutes=1)
# The whole address, or a "port" could hold anything: the rest of a page's content security policy, for one.
LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?((?:/[^#]*)?)")


def digest(secret: str) -> bytes:
    """What is stored of a secret that has 256 random bits; never of a password."""
    return hashlib.sha256(secret.encode()).digest()


def texts() -> Any:
    return Field(default_factory=list, sa_type=ARRAY(Text))


def instant(*, optional: bool = False) -> Any:
    default: dict[str, Any] = {"default": None} if optional else {}
    return Field(**default, nullable=optional, sa_type=INSTANT)


def made() -> Any:
    return Field(default_factory=now, nullable=False, sa_type=INSTANT)


class AccountKind(StrEnum):
    PERSON = "person"
    CLIENT = "client"


class AccountStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


class Account(SQLModel, table=True):
    """One identity, in as many organisations as have a membership for it. A client's own account has no e-mail."""

    __tablename__ = "accounts"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    email: str | None = Field(default=None, unique=True)
    name: str
    kind: AccountKind = Field(default=AccountKind.PERSON, sa_type=choice(AccountKind))
    password_hash: str | None = None
    status: AccountStatus = Field(default=AccountStatus.ACTIVE, sa_type=choice(AccountStatus))
    created_at: datetime = made()

    @property
    def active(self) -> bool:
        return self.status == AccountStatus.ACTIVE


class AuthMethod(StrEnum):
    NONE = "none"
    BASIC = "client_secret_basic"
    POST = "client_secret_post"


class OAuthClient(SQLModel, table=True):
    """A program that may ask for tokens. `tenant_id` None: usable in any organisation. `account_id`: its own account.

    The `get_` and `check_` methods are the protocol by which Authlib asks a client about itself.
    """

    __tablename__ = "oauth_clients"

    client_id: str = Field(primary_key=True)
    name: str
    secret_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    auth_method: AuthMethod = Field(default=AuthMethod.NONE, sa_type=choice(AuthMethod))
    grant_types: list[str] = texts()
    redirect_uris: list[str] = texts()
    scopes: list[str] = texts()
    tenant_id: UUID | None = None
    account_id: UUID | None = Field(default=None, foreign_key="accounts.id", index=True)
    expires_at: datetime | None = instant(optional=True)
    disabled_at: datetime | None = instant(optional=True)
    last_used_at: datetime | None = instant(optional=True)
    created_at: datetime = made()

    def usable(self, at: datetime) -> bool:
        return self.disabled_at is None and (self.expires_at is None or at < self.expires_at)

    def note_use(self, at: datetime) -> None:
        """Remember, to the minute, when it was last used: written each time, the row would make its users queue."""
        if self.last_used_at is None or at - self.last_used_at >= LAST_USED_GRAIN:
            self.last_used_at = at

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: every request names its redirect URI, compared exactly (RFC 9700 §2.1)."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scopes asked for (all, when none were named), or None (invalid_scope) when one is not this client's."""
        wanted = self.scopes if scope is None else scope.split()
        return None if set(wanted) - set(self.scopes) else " ".join(dict.fromkeys(wanted))

    def check_redirect_uri(self, uri: str) -> bool:
        """Exact, except that a native public client may use any port of loopback (RFC 8252 §7.3)."""
        return uri in self.redirect_uris or (
            self.auth_method == AuthMethod.NONE and any(_same_but_port(uri, known) for known in self.redirect_uris)
        )

    def check_client_secret(self, secret: str) -> bool:
        return self.secret_hash is not None and hmac.compare_digest(self.secret_hash, digest(secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.auth_method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


def _same_but_port(uri: str, known: str) -> bool:
    given, registered = LOOPBACK.fullmatch(uri), LOOPBACK.fullmatch(known)
    return given is not None and registered is not None and given.groups() == registered.groups()


class OAuthGrant(SQLModel, table=True):
    """One consent, bound to one organisation: the family of all its tokens (their `sid`). The door asks it live.

    The `check_` and `get_` methods are Authlib's protocol for a token: ours stand and fall with their grant.
    """

    __tablename__ = "oauth_grants"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    client_id: str = Field(foreign_key="oauth_clients.client_id", index=True)
    account_id: UUID = Field(foreign_key="accounts.id", index=True)
    tenant_id: UUID
    scope: str
    auth_time: datetime = made()
    created_at: datetime = made()
    expires_at: datetime | None = instant(optional=True)
    revoked_at: datetime | None = instant(optional=True)
    revoked_why: str | None = None

    def revoke(self, why: str, at: datetime) -> None:
        if self.revoked_at is None:
            self.revoked_at, self.revoked_why = at, why

    def check_client(self, client: OAuthClient) -> bool:
        return self.client_id == client.client_id

    def get_scope(self) -> str:
        return self.scope


class OAuthCode(SQLModel, table=True):
    """An authorization code: lives a minute, works once. The `get_` methods are Authlib's protocol."""

    __tablename__ = "oauth_codes"

    hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    grant_id: UUID = Field(foreign_key="oauth_grants.id", index=True)
    client_id: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: ClassVar[str] = "S256"
    expires_at: datetime = instant()
    used_at: datetime | None = instant(optional=True)

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class OAuthRefreshToken(SQLModel, table=True):
    """A refresh token: works once and is replaced; a second use ends the whole grant."""

    __tablename__ = "oauth_refresh_tokens"

    hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    grant_id: UUID = Field(foreign_key="oauth_grants.id", index=True)
    expires_at: datetime = instant()
    used_at: datetime | None = instant(optional=True)


class KeyState(StrEnum):
    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"


class OAuthKey(SQLModel, table=True):
    """A signing key; the private part is encrypted (JWE) under the key-encryption key."""

    __tablename__ = "oauth_keys"
    __table_args__ = (Index("uq_oauth_keys_current", "state", unique=True, postgresql_where="state = 'current'"),)

    kid: str = Field(primary_key=True)
    private_key: str
    state: KeyState = Field(sa_type=choice(KeyState))
    created_at: datetime = made()


class LoginSession(SQLModel, table=True):
    """A browser in which somebody signed in; its cookie holds the secret, we the hash."""

    __tablename__ = "login_sessions"

    hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    account_id: UUID = Field(foreign_key="accounts.id", index=True)
    auth_time: datetime = made()
    expires_at: datetime = instant()

    def extend(self, at: datetime) -> None:
        """Live on for the idle time, but no longer than a session may from its sign-in."""
        self.expires_at = min(at + SESSION_IDLE, self.auth_time + SESSION_LIFE)


class LoginAttempt(SQLModel, table=True):
    """A sign-in that failed, or is being judged; counted per account and per address."""

    __tablename__ = "login_attempts"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    key: str = Field(index=True)
    at: datetime = made()


class OneTimeLink(SQLModel, table=True):
    """A link that lets one account choose its password, once."""

    __tablename__ = "one_time_links"

    hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    account_id: UUID = Field(foreign_key="accounts.id", index=True)
    expires_at: datetime = instant()
    used_at: datetime | None = instant(optional=True)

    def usable(self, at: datetime) -> bool:
        return self.used_at is None and at < self.expires_at


def pause(failures: int, free: int) -> timedelta:
    """How long to wait after the last of so many failures: not at all at first, then twice as long each time."""
    return min(timedelta(seconds=2 ** min(failures - free, 10)), LONGEST_PAUSE) if failures >= free else timedelta(0)
