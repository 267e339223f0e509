"""The person's side of the authorization server: sign in, choose an organisation, consent, choose a password.

Sessions are rows; the cookie holds a secret that only its hash knows. Every form carries its session's CSRF token, and
a request that says it comes from elsewhere is refused.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.errors import OAuth2Error
from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from api.oauth import server
from api.oauth.endpoints import with_server
from api.oauth.passwords import MAX_LENGTH, MIN_LENGTH, hashed, matches
from api.oauth.session import auth_session
from models.base import now
from models.oauth import (
    SESSION_SECONDS,
    THROTTLE_SECONDS,
    THROTTLE_TRIES,
    Account,
    AccountStatus,
    LoginAttempt,
    LoginSession,
    OneTimeLink,
    digest,
)
from models.organisations import Membership, Organisation
from models.policy import RULES, SCOPES

router = APIRouter()

TEMPLATES = Path(__file__).parent / "templates"
PAGES = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
COOKIE = "sid"


@dataclass(frozen=True)
class Visit:
    """One browser session as a request sees it; `secret` is what the cookie holds."""

    secret: str
    csrf: str
    account_id: UUID | None


def page(
    template: str, title: str, status: int = 200, *, sends_to: str = "", problem: str = "", **values: Any
) -> Response:
    """A page with a strict policy.

    `sends_to`: where its form's answer may redirect, which Chromium asks for by name.
    """
    text = PAGES.get_template(template).render(title=title, problem=problem, **values)
    policy = (
        f"default-src 'none'; style-src 'self'; form-action 'self' {sends_to}; frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(text, status, {"content-security-policy": policy, "cache-control": "no-store"})


message = partial(page, "message.html")


@router.get("/oauth/page.css")
async def stylesheet() -> Response:
    return FileResponse(
        TEMPLATES / "page.css", media_type="text/css", headers={"cache-control": "public, max-age=3600"}
    )


@router.get("/authorize")
async def authorize(request: Request) -> Response:
    """RFC 6749 §4.1.1: check the request, then show the sign-in page or ask for consent."""
    asked = _asked(request)
    client_name, scope, refused = await with_server(request, partial(_check, asked))
    if refused is not None:
        return _with_iss(request, refused)
    visit = await _visit(request)
    if visit is None or visit.account_id is None:
        return await _sign_in_page(request, f"/authorize?{request.url.query}")
    async with auth_session(request.app) as session:
        account = await session.get_one(Account, visit.account_id)
        organisations = await _organisations(session, visit.account_id)
    if not organisations:
        return message(
            "No organisation", 403, text="Your account belongs to no organisation: ask its admin to invite you."
        )
    return page(
        "consent.html",
        "Allow access?",
        sends_to=_origin(asked.payload.data["redirect_uri"]),
        client=client_name,
        name=account.name,
        query=request.url.query,
        csrf=visit.csrf,
        organisations=organisations,
        preselected=asked.payload.data.get("organisation", organisations[0].slug),
        scopes=[SCOPES[name] for name in scope.split()],
    )


@router.post("/authorize")
async def consent(request: Request) -> Response:
    """The person's decision: a code for the client, bound to the chosen organisation, or a refusal."""
    form, visit = await _form(request), await _visit(request)
    if visit is None or visit.account_id is None or not _genuine(request, visit, form):
        return message("Start again", 403, text="This page is too old: go back to the application and sign in again.")
    async with auth_session(request.app) as session:
        mine = await _organisations(session, visit.account_id)
        chosen = next((o for o in mine if o.slug == form.get("organisation")), None)
        roles = await _roles(session, visit.account_id, chosen.id) if chosen else frozenset()
    asked, account_id = _asked(request), visit.account_id

    def decide(found: server.Server) -> Response:
        try:
            grant = found.get_consent_grant(asked, end_user=found.session.get_one(Account, account_id))
        except OAuth2Error as error:
            return found.handle_error_response(asked, error)  # type: ignore[no-any-return]
        user = None
        if form.get("decision") == "allow" and chosen is not None:
            user = found.session.get_one(Account, account_id)
            found.open_grant(asked.client, account_id, chosen.id, useful(asked.scope or "", roles))
        return found.create_authorization_response(asked, grant_user=user, grant=grant)  # type: ignore[no-any-return]

    return _with_iss(request, await with_server(request, decide))


@router.post("/login")
async def login(request: Request) -> Response:
    """Check a password. Too many failures for an account or from an address have to wait."""
    form, visit = await _form(request), await _visit(request)
    target = form.get("next", "")
    if visit is None or not _genuine(request, visit, form) or not target.startswith("/authorize?"):
        return message("Start again", 403, text="This page is too old: go back to the application and sign in again.")
    email = form.get("email", "").strip().lower()
    keys = [f"account:{email}", f"address:{request.client.host if request.client else ''}"]
    async with auth_session(request.app) as session:
        if await _throttled(session, keys):
            answer = message("Too many attempts", 429, text="Wait five minutes, then try again.")
            answer.headers["retry-after"] = str(THROTTLE_SECONDS)
            return answer
        account = await session.scalar(select(Account).where(Account.email == email))
    right = await matches(form.get("password", ""), account.password_hash if account else None)
    if account is None or not right or account.status != AccountStatus.ACTIVE:
        async with auth_session(request.app) as session:
            session.add_all([LoginAttempt(key=key) for key in keys])
        return await _sign_in_page(request, target, 401, email=email, problem="E-mail or password is not right.")
    return await _begin_session(request, RedirectResponse(target, 303), account.id, ends=visit)


@router.get("/welcome/{token}")
async def welcome(request: Request, token: str) -> Response:
    return page("welcome.html", "Choose a password")


@router.post("/welcome/{token}")
async def choose_password(request: Request, token: str) -> Response:
    """Set the password of the account that the one-time link was made for."""
    password = (await _form(request)).get("password", "")
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        problem = f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters."
        return page("welcome.html", "Choose a password", 422, problem=problem)
    hash = await hashed(password)
    async with auth_session(request.app) as session:
        link = await session.get(OneTimeLink, digest(token), with_for_update=True)
        if link is None or link.used_at is not None or link.expires_at < now():
            return message("Link no longer valid", 404, text="Ask the person who sent it for a new one.")
        link.used_at = now()
        (await session.get_one(Account, link.account_id)).password_hash = hash
    return message("Password saved", text="You can sign in with it now.")


def useful(scope: str, roles: frozenset[str]) -> str:
    """The scopes that at least one of the roles could ever use."""
    kept = {rule.scope for rule in RULES.values() if rule.admits(roles)} | {"money:read"}
    return " ".join(name for name in scope.split() if name in kept)


def _asked(request: Request) -> server.Request:
    uri = f"{request.app.state.settings.issuer}/authorize"
    return server.Request("GET", uri, request.headers, request.url.query)


def _check(asked: server.Request, found: server.Server) -> tuple[str, str, Response | None]:
    """The client's name and the scope asked for, or the refusal."""
    try:
        asked.payload.require_single()
        found.get_consent_grant(asked)
    except OAuth2Error as error:
        return "", "", found.handle_error_response(asked, error)
    return asked.client.name, asked.client.get_allowed_scope(asked.scope) or "", None


def _with_iss(request: Request, answer: Response) -> Response:
    """RFC 9207: the answer names its issuer, refusals too."""
    if "location" in answer.headers:
        issuer = request.app.state.settings.issuer
        answer.headers["location"] = add_params_to_uri(answer.headers["location"], [("iss", issuer)])
    return answer


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def _genuine(request: Request, visit: Visit, form: dict[str, str]) -> bool:
    issuer = request.app.state.settings.issuer
    elsewhere = request.headers.get("origin", issuer) not in (issuer, "null")
    cross_site = request.headers.get("sec-fetch-site", "same-origin") == "cross-site"
    return not elsewhere and not cross_site and hmac.compare_digest(visit.csrf, form.get("csrf", ""))


async def _visit(request: Request) -> Visit | None:
    secret = request.cookies.get(_cookie(request), "")
    async with auth_session(request.app) as session:
        row = await session.get(LoginSession, digest(secret)) if secret else None
    if row is None or row.expires_at < now():
        return None
    return Visit(secret, row.csrf, row.account_id)


def _cookie(request: Request) -> str:
    """A __Host- cookie cannot be set by a neighbour; it exists on https only."""
    return f"__Host-{COOKIE}" if request.app.state.settings.issuer.startswith("https:") else COOKIE


async def _begin_session(
    request: Request, answer: Response, account_id: UUID | None, *, csrf: str = "", ends: Visit | None = None
) -> Response:
    """A new session with a new secret: what an attacker may have planted before is worth nothing after."""
    secret = secrets.token_urlsafe(32)
    async with auth_session(request.app) as session:
        if ends is not None and (old := await session.get(LoginSession, digest(ends.secret))) is not None:
            await session.delete(old)
        session.add(
            LoginSession(
                hash=digest(secret),
                account_id=account_id,
                csrf=csrf or secrets.token_urlsafe(24),
                auth_time=now() if account_id else None,
                expires_at=now() + timedelta(seconds=SESSION_SECONDS),
            )
        )
    secure = request.app.state.settings.issuer.startswith("https:")
    answer.set_cookie(_cookie(request), secret, httponly=True, samesite="lax", secure=secure, path="/")
    return answer


async def _sign_in_page(
    request: Request, target: str, status: int = 200, *, email: str = "", problem: str = ""
) -> Response:
    csrf = secrets.token_urlsafe(24)
    answer = page("sign_in.html", "Sign in", status, csrf=csrf, next=target, email=email, problem=problem)
    return await _begin_session(request, answer, None, csrf=csrf)


async def _throttled(session: AsyncSession, keys: list[str]) -> bool:
    since = now() - timedelta(seconds=THROTTLE_SECONDS)
    recent = select(func.count()).where(col(LoginAttempt.at) > since).group_by(col(LoginAttempt.key))
    counts = (await session.execute(recent.where(col(LoginAttempt.key).in_(keys)))).scalars()
    return any(count >= THROTTLE_TRIES for count in counts)


async def _organisations(session: AsyncSession, account_id: UUID) -> list[Organisation]:
    query = select(Organisation).join(Membership, col(Membership.tenant_id) == Organisation.id)
    found = await session.execute(query.where(Membership.account_id == account_id).order_by(Organisation.name))
    return list(found.scalars())


async def _roles(session: AsyncSession, account_id: UUID, tenant_id: UUID) -> frozenset[str]:
    query = select(Membership.roles).where(Membership.account_id == account_id, Membership.tenant_id == tenant_id)
    return frozenset(await session.scalar(query) or ())
