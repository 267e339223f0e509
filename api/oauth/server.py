"""The authorization server: Authlib's protocol on our tables.

Authlib is synchronous, so it runs inside `AsyncSession.run_sync`: same connection, same transaction. A Server is made
for each request (it costs five microseconds), so that session, settings and grant are plain attributes.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidClientError, InvalidGrantError
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from api.oauth.grants import ClientGrant, CodeGrant, Pkce, RefreshGrant, Revocation
from api.oauth.keys import Keys
from api.oauth.parameters import Asked
from api.oauth.session import auth_session
from api.oauth.tokens import access_token, grant_id
from api.settings import Settings
from models.base import now
from models.oauth import ACCESS_LIFE, REFRESH_LIFE, Account, OAuthClient, OAuthGrant, OAuthRefreshToken, digest
from models.policy import SCOPES

T = TypeVar("T")

# At DEBUG Authlib prints whole tokens.
logging.getLogger("authlib").setLevel(logging.INFO)


class Server(AuthorizationServer):  # type: ignore[misc]
    """Everything one request of the authorization server needs. `grant` is what the request's tokens belong to."""

    def __init__(self, session: Session, settings: Settings, keys: Keys) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self.session, self.settings, self.keys = session, settings, keys
        self.grant: OAuthGrant | None = None
        seconds = int(ACCESS_LIFE.total_seconds())
        self.register_token_generator("default", BearerTokenGenerator(self._access_token, _opaque, seconds))
        self.register_grant(CodeGrant, [Pkce(required=True)])
        self.register_grant(RefreshGrant)
        self.register_grant(ClientGrant)
        self.register_endpoint(Revocation)

    def create_oauth2_request(self, request: Asked) -> Asked:
        return request

    def handle_response(self, status: int, body: Any, headers: Sequence[tuple[str, str]]) -> Response:
        answer = JSONResponse if isinstance(body, dict) else Response
        return answer(body, status, dict(headers))

    def send_signal(self, *_: Any, **__: Any) -> None:
        """Nobody listens: what happens is in the tables."""

    def query_client(self, client_id: str) -> OAuthClient | None:
        client = self.session.get(OAuthClient, client_id) if client_id.isprintable() else None
        return client if client and client.usable(now()) else None

    def authenticate_client(self, request: Asked, methods: Sequence[str], endpoint: str = "token") -> OAuthClient:
        """One answer for an unknown client, a wrong secret and an ended client: nothing to guess from."""
        try:
            client: OAuthClient = super().authenticate_client(request, methods, endpoint)
        except (InvalidClientError, ValueError):  # ValueError: Authlib on credentials that are not base64 or not UTF-8
            raise InvalidClientError(status_code=401, description="Client authentication failed.") from None
        client.note_use(now())
        return client

    def save_token(self, token: dict[str, Any], request: Asked) -> None:
        if "refresh_token" in token:
            hash, ends = digest(token["refresh_token"]), now() + REFRESH_LIFE
            self.session.add(OAuthRefreshToken(hash=hash, grant_id=self.require_grant().id, expires_at=ends))

    def open_grant(self, grant: OAuthGrant) -> None:
        """From here on the request's codes and tokens belong to this new grant."""
        self.session.add(grant)
        self.session.flush()
        self.grant = grant

    def require_grant(self) -> OAuthGrant:
        if self.grant is None:
            raise InvalidGrantError()
        return self.grant

    def require_account(self) -> Account:
        """The account that the request's tokens act as; one that was disabled gets none."""
        account = self.session.get_one(Account, self.require_grant().account_id)
        if not account.active:
            raise InvalidGrantError()
        return account

    def grant_of(self, token: str) -> OAuthGrant | None:
        """The grant behind a refresh token or an access token of ours."""
        row = self.session.get(OAuthRefreshToken, digest(token))
        found = row.grant_id if row else grant_id(self.keys, token)
        return self.session.get(OAuthGrant, found) if found else None

    def _access_token(self, client: OAuthClient, grant_type: str, user: Account | None, scope: str) -> str:
        return access_token(self.keys, self.settings, self.require_grant(), scope, now())


def _opaque(**_: Any) -> str:
    return secrets.token_urlsafe(32)


async def with_server(app: FastAPI, work: Callable[[Server], T]) -> T:
    """Run Authlib's synchronous code in one transaction: what it answers commits, refusals too; what it raises not."""
    async with auth_session(app) as session:
        return await session.run_sync(lambda sync: work(Server(sync, app.state.settings, app.state.keys)))
