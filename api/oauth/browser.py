"""The browser as the pages meet it: who signed in there, and whether a form is one of our own.

Sessions are rows; the cookie holds a secret of which the row knows the hash. A browser without a session gets a secret
too, so that also its sign-in form carries a token that no other site can know.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from starlette.responses import Response

from api.oauth.pages import message
from api.oauth.session import auth_session
from api.settings import Settings
from models.base import now
from models.oauth import Account, LoginSession, digest

MOST_FIELDS = 20


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, and when."""

    account: Account
    at: datetime


@dataclass(frozen=True)
class Visit:
    """One browser: the secret in its cookie, and who signed in there, if anybody."""

    secret: str
    who: SignedIn | None = None

    @property
    def csrf(self) -> str:
        """What our forms carry: made from the secret, and no way back to it."""
        return hmac.new(self.secret.encode(), b"csrf", "sha256").hexdigest()

    def sent(self, request: Request, form: dict[str, str]) -> bool:
        """Whether this form came from one of our pages in this browser."""
        site = request.headers.get("sec-fetch-site", "none")
        # Our pages send no referrer, so browsers call their origin "null".
        origin = request.headers.get("origin", "null")
        ours = site in ("same-origin", "none") and origin in ("null", request.app.state.settings.issuer)
        return ours and hmac.compare_digest(self.csrf.encode(), form.get("csrf", "").encode())


async def visit_of(request: Request) -> Visit:
    secret = request.cookies.get(_cookie(request.app.state.settings))
    if not secret:
        return Visit(secrets.token_urlsafe(32))
    at = now()
    async with auth_session(request.app) as session:
        row = await session.get(LoginSession, digest(secret))
        account = await session.get(Account, row.account_id) if row and at < row.expires_at else None
        if row is None or account is None or not account.active:
            return Visit(secret)
        row.extend(at)
        return Visit(secret, SignedIn(account, row.auth_time))


async def begin_session(app: FastAPI, answer: Response, account: Account) -> None:
    """Sign the account in under a new secret: one that was planted before is worth nothing after."""
    secret, at = secrets.token_urlsafe(32), now()
    row = LoginSession(hash=digest(secret), account_id=account.id, auth_time=at, expires_at=at)
    row.extend(at)
    async with auth_session(app) as session:
        session.add(row)
    keep_cookie(app.state.settings, answer, secret)


async def end_session(app: FastAPI, visit: Visit) -> None:
    async with auth_session(app) as session:
        if row := await session.get(LoginSession, digest(visit.secret)):
            await session.delete(row)


def keep_cookie(settings: Settings, answer: Response, secret: str) -> None:
    answer.set_cookie(_cookie(settings), secret, httponly=True, samesite="lax", secure=_encrypted(settings), path="/")


def _cookie(settings: Settings) -> str:
    """A __Host- cookie cannot be planted by a neighbouring host; it exists on https only."""
    return "__Host-sid" if _encrypted(settings) else "sid"


def _encrypted(settings: Settings) -> bool:
    return settings.issuer.startswith("https:")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; none, where no form of ours could have sent it."""
    text = (await request.body()).decode("utf-8", "replace")
    try:
        fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}
    # PostgreSQL stores no NUL.
    return {} if any("\0" in value for value in fields.values()) else fields


def start_again() -> Response:
    return message("Start again", 403, "This page is too old: go back to the application and sign in again.")
