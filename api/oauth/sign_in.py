"""Signing in and out, and choosing a password by a one-time link."""

from math import ceil
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import func, or_, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select
from starlette.responses import RedirectResponse, Response

from api.limits import network
from api.oauth.browser import Visit, begin_session, end_session, form_of, keep_cookie, start_again, visit_of
from api.oauth.pages import message, page
from api.oauth.passwords import MAX_LENGTH, MIN_LENGTH, hashed, matches
from api.oauth.session import auth_session
from models.base import now
from models.oauth import (
    FAILURES_COUNT,
    FREE_PER_ACCOUNT,
    FREE_PER_ADDRESS,
    Account,
    LoginAttempt,
    LoginSession,
    OneTimeLink,
    digest,
    pause,
)

router = APIRouter()

MAX_EMAIL = 254
IN_TURN = text("select pg_advisory_xact_lock(hashtextextended(:key, 1))")


def sign_in_page(
    request: Request, visit: Visit, query: str, status: int = 200, *, email: str = "", problem: str = ""
) -> Response:
    """Ask who it is; `query` is the authorization request that waits for the answer."""
    answer = page("sign_in.html", "Sign in", status, csrf=visit.csrf, query=query, email=email, problem=problem)
    keep_cookie(request.app.state.settings, answer, visit.secret)
    return answer


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Check a password. Failures for an account, or from an address, make the next try wait."""
    form, visit = await form_of(request), await visit_of(request)
    if not visit.sent(request, form):
        return start_again()
    query, email = form.get("query", ""), form.get("email", "").strip().lower()[:MAX_EMAIL]
    account_try = LoginAttempt(key=f"account {email}")
    address_try = LoginAttempt(key=f"address {network(request.scope)}")
    async with auth_session(request.app) as session:
        if seconds := await _must_wait(session, (account_try, FREE_PER_ACCOUNT), (address_try, FREE_PER_ADDRESS)):
            return _too_many(seconds)
        account = await session.scalar(select(Account).where(Account.email == email))
    right = await matches(form.get("password", ""), account.password_hash if account else None)
    if account is None or not right or not account.active:
        return sign_in_page(request, visit, query, 401, email=email, problem="E-mail or password is not right.")
    async with auth_session(request.app) as session:
        forgiven = or_(col(LoginAttempt.key) == account_try.key, col(LoginAttempt.id) == address_try.id)
        for attempt in await session.scalars(select(LoginAttempt).where(forgiven)):
            await session.delete(attempt)
    answer = RedirectResponse(f"/authorize?{query}", 303)
    await begin_session(request.app, answer, account)
    return answer


async def _must_wait(session: AsyncSession, *attempts: tuple[LoginAttempt, int]) -> int:
    """The seconds until these attempts may be made; 0 when they may now: then they count as failed until one succeeds.

    Attempts with one key are judged in turn: a hundred at once would otherwise all find the first one free.
    """
    wait = 0
    for attempt, free in attempts:
        await session.execute(IN_TURN, {"key": attempt.key})
        recent = select(func.count(), func.max(LoginAttempt.at)).where(
            col(LoginAttempt.key) == attempt.key, col(LoginAttempt.at) > attempt.at - FAILURES_COUNT
        )
        failures, last = (await session.execute(recent)).one()
        if last is not None and (due := pause(failures, free)):
            wait = max(wait, ceil((last + due - attempt.at).total_seconds()))
    if wait == 0:
        session.add_all([attempt for attempt, _ in attempts])
    return wait


def _too_many(seconds: int) -> Response:
    answer = message("Too many attempts", 429, f"Wait {seconds} seconds, then try again.")
    answer.headers["retry-after"] = str(seconds)
    return answer


@router.post("/oauth/sign-out")
async def sign_out(request: Request) -> Response:
    """End this browser's session, so that somebody else may go on with the authorization request."""
    form, visit = await form_of(request), await visit_of(request)
    if not visit.sent(request, form):
        return start_again()
    await end_session(request.app, visit)
    return RedirectResponse(f"/authorize?{form.get('query', '')}", 303)


# The link's secret stands in the query: paths are logged, queries are not.
Link = Annotated[str, Query(alias="link", default_factory=str)]


@router.get("/oauth/welcome")
async def welcome(request: Request, link: Link) -> Response:
    """Where a one-time link leads: choose a password."""
    async with auth_session(request.app) as session:
        found = await session.get(OneTimeLink, digest(link))
    return _choose() if found and found.usable(now()) else _no_such_link()


@router.post("/oauth/welcome")
async def choose_password(request: Request, link: Link) -> Response:
    """Set the password and end every session of that account. The link alone proves who it is."""
    password = (await form_of(request)).get("password", "")
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return _choose(422, f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    async with auth_session(request.app) as session:
        found = await session.get(OneTimeLink, digest(link), with_for_update=True)
        if found is None or not found.usable(now()):
            return _no_such_link()
        found.used_at = now()
        account = await session.get_one(Account, found.account_id)
        account.password_hash = await hashed(password)
        for open_session in await session.scalars(select(LoginSession).where(LoginSession.account_id == account.id)):
            await session.delete(open_session)
    return message("Password saved", 200, "You can sign in with it now.")


def _choose(status: int = 200, problem: str = "") -> Response:
    return page("welcome.html", "Choose a password", status, problem=problem, least=MIN_LENGTH, most=MAX_LENGTH)


def _no_such_link() -> Response:
    return message("Link no longer valid", 404, "Ask the person who sent it for a new one.")
