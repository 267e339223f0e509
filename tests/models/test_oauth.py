"""Clients, grants and sign-in: which addresses and scopes a client may use, what ends when, how long guessing waits."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from models.oauth import (
    FREE_PER_ACCOUNT,
    LAST_USED_GRAIN,
    LONGEST_PAUSE,
    SESSION_IDLE,
    SESSION_LIFE,
    AuthMethod,
    LoginSession,
    OAuthClient,
    OAuthGrant,
    OneTimeLink,
    digest,
    pause,
)
from models.policy import SCOPES, Role, useful_scopes

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def client(**values: object) -> OAuthClient:
    return OAuthClient(client_id="board", name="Board", **values)


@pytest.mark.parametrize(
    ("registered", "given", "fits"),
    [
        ("https://a.example/cb", "https://a.example/cb", True),
        ("https://a.example/cb", "https://a.example/cb/", False),
        ("https://a.example/cb", "https://a.example/cb?x=1", False),
        ("https://a.example/cb", "https://a.example:8443/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", True),
        ("http://[::1]/cb", "http://[::1]:51004/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb#x", False),
        ("http://127.0.0.1/cb", "http://user@127.0.0.1:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", False),
        ("http://127.0.0.1/cb", "http://[broken/cb", False),
        ("http://localhost/cb", "http://localhost:51004/cb", False),
        ("http://127.0.0.1:8000/cb", "http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:x/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80; script-src 'unsafe-inline'/cb", False),
    ],
)
def test_a_redirect_is_compared_exactly_but_for_the_port_of_loopback(registered: str, given: str, fits: bool) -> None:
    assert client(redirect_uris=[registered]).check_redirect_uri(given) is fits


def test_only_a_public_client_may_choose_its_port() -> None:
    confidential = client(redirect_uris=["http://127.0.0.1/cb"], auth_method=AuthMethod.BASIC)
    assert not confidential.check_redirect_uri("http://127.0.0.1:51004/cb")


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [(None, "a b"), ("b", "b"), ("b b a", "b a"), ("a c", None), ("", ""), (" ", "")],
)
def test_no_scope_asked_for_means_all_and_an_empty_one_means_none(asked: str | None, allowed: str | None) -> None:
    assert client(scopes=["a", "b"]).get_allowed_scope(asked) == allowed


def test_a_client_ends() -> None:
    assert client().usable(AT)
    assert not client(disabled_at=AT).usable(AT)
    assert client(expires_at=AT + SECOND).usable(AT)
    assert not client(expires_at=AT).usable(AT)


def test_the_use_of_a_client_is_noted_to_the_minute() -> None:
    board = client()
    for at in (AT, AT + SECOND):
        board.note_use(at)
        assert board.last_used_at == AT
    board.note_use(AT + LAST_USED_GRAIN)
    assert board.last_used_at == AT + LAST_USED_GRAIN


def test_a_public_client_has_no_secret_that_fits() -> None:
    assert not client().check_client_secret("")
    assert client(secret_hash=digest("cet_x")).check_client_secret("cet_x")
    assert not client(secret_hash=digest("cet_x")).check_client_secret("cet_y")


def test_a_grant_keeps_why_it_ended_first() -> None:
    grant = OAuthGrant(client_id="board", account_id=uuid4(), tenant_id=uuid4(), scope="")
    grant.revoke("code used twice", AT)
    grant.revoke("revoked by its client", AT + SECOND)
    assert (grant.revoked_why, grant.revoked_at) == ("code used twice", AT)


def test_a_session_lives_on_while_it_is_used_but_not_for_ever() -> None:
    session = LoginSession(hash=b"", account_id=uuid4(), auth_time=AT, expires_at=AT)
    session.extend(AT)
    assert session.expires_at == AT + SESSION_IDLE
    session.extend(AT + SESSION_LIFE - SECOND)
    assert session.expires_at == AT + SESSION_LIFE


def test_a_link_works_once_and_not_too_late() -> None:
    link = OneTimeLink(hash=b"", account_id=uuid4(), expires_at=AT)
    assert link.usable(AT - SECOND)
    assert not link.usable(AT)
    link.used_at = AT - SECOND
    assert not link.usable(AT - SECOND)


def test_each_failure_waits_twice_as_long_up_to_a_bound() -> None:
    free = FREE_PER_ACCOUNT
    assert [pause(n, free) for n in (0, free - 1, free, free + 1, free + 2)] == [
        timedelta(0),
        timedelta(0),
        SECOND,
        2 * SECOND,
        4 * SECOND,
    ]
    assert pause(10_000, free) == LONGEST_PAUSE


def test_useful_scopes_are_those_some_role_can_use() -> None:
    assert "admin" in useful_scopes([Role.ADMIN])
    assert "admin" not in useful_scopes([Role.MEMBER, Role.EXPERT])
    assert "money:read" not in useful_scopes([Role.MEMBER])
    assert useful_scopes([]) == frozenset()
    assert useful_scopes(Role) <= SCOPES.keys()
