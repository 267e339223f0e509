"""Making organisations, accounts, clients and tokens: what a command line or a fixture does, never a route.

Each function takes a session that is already tracker_auth's (api/oauth/session.py). The journal names the system.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from api.oauth.keys import Keys
from api.oauth.passwords import MIN_LENGTH, hashed
from api.oauth.tokens import access_token
from api.settings import Settings
from models.base import now
from models.errors import Forbidden, Invalid, Missing
from models.oauth import (
    ACCESS_LIFE,
    LINK_LIFE,
    SECRET_PREFIX,
    Account,
    AccountKind,
    AuthMethod,
    OAuthClient,
    OAuthGrant,
    OneTimeLink,
    digest,
)
from models.organisations import Membership, Organisation, Policy
from models.policy import SCOPES, Role, useful_scopes
from models.tenancy import Actor

SYSTEM = UUID(int=0)
DOCS = "docs"
NOT_PLAIN = re.compile("[^a-z0-9]+")
CODE_FLOW = ["authorization_code", "refresh_token"]


def act_for(session: AsyncSession, tenant_id: UUID) -> None:
    """Let the journal name the system as who acts in this tenant."""
    instant = now()
    session.info["actor"] = Actor(
        tenant_id, SYSTEM, "system", frozenset(), frozenset(), None, None, instant, instant.date()
    )


async def create_organisation(
    session: AsyncSession,
    *,
    slug: str,
    name: str,
    country: str,
    time_zone: str,
    currency: str,
    sandbox: bool,
    clock_offset: timedelta = timedelta(0),
) -> UUID:
    """A new organisation with the default policy; its id. A sandbox's clock may start in the past."""
    id = uuid7()
    act_for(session, id)
    session.add(
        Organisation(
            id=id,
            slug=slug,
            name=name,
            country=country,
            time_zone=time_zone,
            currency=currency,
            sandbox=sandbox,
            clock_offset=clock_offset,
        )
    )
    session.add(Policy(id=id))
    await session.flush()
    return id


async def create_account(session: AsyncSession, *, email: str | None, name: str, password: str | None) -> UUID:
    """A new account, a machine's when it has no e-mail; its id. Raises Invalid for a short password."""
    if password is not None and len(password) < MIN_LENGTH:
        raise Invalid("password-too-short", f"A password has at least {MIN_LENGTH} characters.")
    kind = AccountKind.PERSON if email else AccountKind.CLIENT
    account = Account(
        email=email and email.lower(), name=name, kind=kind, password_hash=password and await hashed(password)
    )
    session.add(account)
    await session.flush()
    return account.id


async def add_membership(
    session: AsyncSession,
    tenant_id: UUID,
    account_id: UUID,
    roles: list[str],
    *,
    person_id: UUID | None = None,
    expert_id: UUID | None = None,
) -> UUID:
    act_for(session, tenant_id)
    row = Membership(account_id=account_id, roles=roles, person_id=person_id, expert_id=expert_id)
    session.add(row)
    await session.flush()
    return row.id


async def create_client(
    session: AsyncSession, tenant_id: UUID, name: str, roles: list[str], scopes: list[str]
) -> tuple[str, str]:
    """A confidential client that acts as itself; its id and its secret, which is shown this once.

    Raises Invalid for an unknown scope, and for a dashboard that would hold a scope to write.
    """
    _require_known(scopes)
    if Role.DASHBOARD in roles and any(not scope.endswith(":read") for scope in scopes):
        raise Invalid("dashboard-never-writes", "A dashboard's client holds scopes to read only.")
    account_id = await create_account(session, email=None, name=name, password=None)
    await add_membership(session, tenant_id, account_id, roles)
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    client = OAuthClient(
        client_id=f"{NOT_PLAIN.sub('-', name.lower()).strip('-')}-{secrets.token_hex(4)}",
        name=name,
        secret_hash=digest(secret),
        auth_method=AuthMethod.BASIC,
        grant_types=["client_credentials"],
        scopes=scopes,
        tenant_id=tenant_id,
        account_id=account_id,
    )
    session.add(client)
    await session.flush()
    return client.client_id, secret


async def ensure_docs_client(session: AsyncSession, settings: Settings) -> None:
    """The public client that the documentation page signs in with, kept as this server's address has it."""
    client = await session.get(OAuthClient, DOCS) or OAuthClient(client_id=DOCS, name="API documentation")
    client.grant_types, client.scopes = CODE_FLOW, list(SCOPES)
    client.redirect_uris = [f"{settings.issuer}/docs/oauth2-redirect"]
    session.add(client)


async def issue_token(
    session: AsyncSession,
    keys: Keys,
    settings: Settings,
    *,
    client_id: str,
    account_id: UUID,
    tenant_id: UUID,
    scopes: Iterable[str],
) -> str:
    """A short access token with a grant of its own."""
    at = now()
    grant = OAuthGrant(
        client_id=client_id,
        account_id=account_id,
        tenant_id=tenant_id,
        scope=" ".join(sorted(scopes)),
        expires_at=at + ACCESS_LIFE,
    )
    session.add(grant)
    await session.flush()
    return access_token(keys, settings, grant, grant.scope, at)


async def mint_token(
    session: AsyncSession, keys: Keys, settings: Settings, *, email: str, organisation: str, scopes: list[str]
) -> str:
    """A token for trying the API by hand, with all useful scopes when none are named.

    Raises Missing for who is not there, Forbidden outside sandbox organisations, Invalid for an unknown scope.
    """
    _require_known(scopes)
    found = await session.scalar(select(Organisation).where(Organisation.slug == organisation))
    if found is None:
        raise Missing("not-found", f"There is no organisation {organisation}.")
    if not found.sandbox:
        raise Forbidden("not-a-sandbox", "Tokens are minted for sandbox organisations only: sign in instead.")
    member = select(Membership).join(Account, col(Account.id) == Membership.account_id)
    mine = member.where(Account.email == email.lower(), Membership.tenant_id == found.id)
    membership = await session.scalar(mine)
    if membership is None:
        raise Missing("not-found", f"{email} is not a member of {organisation}.")
    return await issue_token(
        session,
        keys,
        settings,
        client_id=DOCS,
        account_id=membership.account_id,
        tenant_id=found.id,
        scopes=scopes or useful_scopes(membership.roles),
    )


async def invite(session: AsyncSession, settings: Settings, account_id: UUID) -> str:
    """A link by which the account's owner chooses a password, once, within a week."""
    token = secrets.token_urlsafe(32)
    session.add(OneTimeLink(hash=digest(token), account_id=account_id, expires_at=now() + LINK_LIFE))
    return f"{settings.issuer}/oauth/welcome?link={token}"


def _require_known(scopes: list[str]) -> None:
    if unknown := set(scopes) - SCOPES.keys():
        raise Invalid("unknown-scope", f"There is no scope {', '.join(sorted(unknown))}.")
