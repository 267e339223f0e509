"""The authorization server on Authlib: one object per request, run synchronously inside the async session's greenlet.

Per request, because Authlib caches methods of the server it first meets; so session and request are plain attributes.
Refusals become answers inside the transaction, since some of them (reuse of a code or refresh token) must commit.
"""

import logging
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Payload,
    OAuth2Request,
    grants,
)
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from api.oauth.keys import Keys
from api.settings import Settings
from models.base import now
from models.oauth import (
    ACCESS_SECONDS,
    CODE_SECONDS,
    REFRESH_SECONDS,
    Account,
    AuthMethod,
    OAuthClient,
    OAuthCode,
    OAuthGrant,
    OAuthRefreshToken,
    digest,
)
from models.policy import SCOPES

# At DEBUG Authlib prints whole tokens.
logging.getLogger("authlib").setLevel(logging.INFO)

EVERY_METHOD = [method.value for method in AuthMethod]
SECRET_METHODS = [AuthMethod.BASIC.value, AuthMethod.POST.value]


class Payload(OAuth2Payload):  # type: ignore[misc]
    """Parameters; one without a value counts as left out (RFC 6749 §3.1)."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        values: dict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            if value:
                values[name].append(value)
        self.values = dict(values)

    @property
    def data(self) -> dict[str, str]:
        return {name: values[0] for name, values in self.values.items()}

    @property
    def datalist(self) -> dict[str, list[str]]:
        return defaultdict(list, self.values)

    def require_single(self) -> None:
        for name, values in self.values.items():
            if len(values) > 1:
                raise InvalidRequestError(f"The parameter {name} is given more than once.")


class Request(OAuth2Request):  # type: ignore[misc]
    """A buffered request. Credentials count in the body only: never mixed with the query (RFC 6749 §2.3.1)."""

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], parameters: str) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = Payload(parse_qsl(parameters, keep_blank_values=True))

    @property
    def args(self) -> dict[str, str]:
        return {} if self.method == "POST" else self.payload.data

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data if self.method == "POST" else {}


class AccessTokens(JWTBearerTokenGenerator):  # type: ignore[misc]
    """RFC 9068 access tokens, signed by the current key, bound to the grant's organisation."""

    def __init__(self, server: "Server") -> None:
        super().__init__(
            server.settings.issuer,
            alg="ES256",
            refresh_token_generator=lambda **_: secrets.token_urlsafe(32),
            expires_generator=lambda *_: ACCESS_SECONDS,
        )
        self.server = server

    def get_jwks(self) -> KeySet:
        return KeySet([self.server.keys.signing])

    def get_audiences(self, client: Any, user: Any, scope: Any) -> str:
        return self.server.settings.audience

    def get_jti(self, client: Any, grant_type: Any, user: Any, scope: Any) -> str:
        return secrets.token_urlsafe(16)

    def get_extra_claims(self, client: Any, grant_type: Any, user: Any, scope: Any) -> dict[str, str]:
        grant = self.server.require_grant()
        return {"sub": str(grant.account_id), "org": str(grant.tenant_id), "sid": str(grant.id)}


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """The code: its hash is kept, it works once, and a second use ends everything the first one gave."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    AUTHORIZATION_CODE_LENGTH = 48

    def save_authorization_code(self, code: str, request: Request) -> None:
        grant, given = self.server.require_grant(), request.payload.data
        self.server.session.add(
            OAuthCode(
                hash=digest(code),
                grant_id=grant.id,
                client_id=request.client.client_id,
                redirect_uri=given["redirect_uri"],
                scope=grant.scope,
                code_challenge=given["code_challenge"],
                expires_at=now() + timedelta(seconds=CODE_SECONDS),
            )
        )

    def query_authorization_code(self, code: str, client: OAuthClient) -> OAuthCode | None:
        row: OAuthCode | None = self.server.session.get(OAuthCode, digest(code), with_for_update=True)
        if row is None or row.client_id != client.client_id:
            return None
        grant = self.server.session.get_one(OAuthGrant, row.grant_id)
        if row.used_at is not None:
            grant.revoke("code used twice")
            return None
        if row.expires_at < now() or grant.revoked_at is not None:
            return None
        self.server.grant = grant
        return row

    def delete_authorization_code(self, authorization_code: OAuthCode) -> None:
        authorization_code.used_at = now()

    def authenticate_user(self, authorization_code: OAuthCode) -> Account:
        return self.server.session.get_one(Account, self.server.require_grant().account_id)  # type: ignore[no-any-return]


class Pkce(CodeChallenge):  # type: ignore[misc]
    """S256 for every client, at both endpoints: Authlib alone would ask public clients only, and take `plain`."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]
    DEFAULT_CODE_CHALLENGE_METHOD = "S256"

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        given = grant.request.payload.data
        if not given.get("code_challenge") or given.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required: send code_challenge with code_challenge_method=S256.")
        super().validate_code_challenge(grant, redirect_uri)


class RefreshToken:
    """A token with its grant, in Authlib's protocol; `row` is None for an access token, which is not kept."""

    def __init__(self, row: OAuthRefreshToken | None, grant: OAuthGrant) -> None:
        self.row, self.grant = row, grant

    def check_client(self, client: OAuthClient) -> bool:
        return self.grant.client_id == client.client_id

    def get_scope(self) -> str:
        return self.grant.scope


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    """Rotation: a token works once. Its second use says that two hold it, so the family ends (RFC 9700 §4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        session = self.server.session
        row = session.get(OAuthRefreshToken, digest(refresh_token), with_for_update=True)
        if row is None:
            return None
        grant = session.get_one(OAuthGrant, row.grant_id)
        # Whose it is comes first: or another client could end a stranger's family.
        if grant.client_id != self.request.client.client_id or grant.revoked_at or row.expires_at < now():
            return None
        if row.used_at is not None:
            grant.revoke("refresh token used twice")
            return None
        self.server.grant = grant
        return RefreshToken(row, grant)

    def authenticate_user(self, refresh_token: RefreshToken) -> Account:
        account = self.server.session.get(Account, refresh_token.grant.account_id)
        if account is None:
            raise InvalidGrantError()
        return account  # type: ignore[no-any-return]

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        if refresh_token.row is not None:
            refresh_token.row.used_at = now()


class ClientGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    """A client acting as itself: as its own account, in its own organisation."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET_METHODS

    def validate_token_request(self) -> None:
        super().validate_token_request()
        client = self.request.client
        if client.account_id is None or client.tenant_id is None:
            raise InvalidClientError(status_code=401, description="Client authentication failed.")
        scope = client.get_allowed_scope(self.request.payload.scope)
        self.server.open_grant(client, client.account_id, client.tenant_id, scope or "", seconds=ACCESS_SECONDS)


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009: any token of a grant ends the grant; an unknown one is answered alike."""

    CLIENT_AUTH_METHODS = EVERY_METHOD

    def check_params(self, request: Request, client: OAuthClient) -> None:
        if "token" not in request.form:
            raise InvalidRequestError("The parameter token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> RefreshToken | None:
        return self.server.lookup(token_string)  # type: ignore[no-any-return]

    def revoke_token(self, token: RefreshToken, request: Request) -> None:
        token.grant.revoke("revoked by its client")


class Server(AuthorizationServer):  # type: ignore[misc]
    """Everything one request of the authorization server needs. `grant` is what the request's tokens belong to."""

    def __init__(self, session: Session, settings: Settings, keys: Keys) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self.session, self.settings, self.keys = session, settings, keys
        self.grant: OAuthGrant | None = None
        self.register_token_generator("default", AccessTokens(self))
        self.register_grant(CodeGrant, [Pkce(required=True)])
        self.register_grant(RefreshGrant)
        self.register_grant(ClientGrant)
        self.register_endpoint(Revocation)

    def create_oauth2_request(self, request: Request) -> Request:
        request.payload.require_single()
        return request

    def handle_response(self, status: int, body: Any, headers: Sequence[tuple[str, str]]) -> Response:
        answer = JSONResponse if isinstance(body, dict) else Response
        return answer(body, status, dict(headers))

    def send_signal(self, *_: Any, **__: Any) -> None:
        """Nobody listens: what happens is in the tables."""

    def authenticate_client(self, request: Request, methods: Sequence[str], endpoint: str = "token") -> OAuthClient:
        """One answer for an unknown client, a wrong secret and an ended client: nothing to guess from."""
        try:
            client: OAuthClient = super().authenticate_client(request, methods, endpoint)
        except InvalidClientError:
            client = None  # type: ignore[assignment]
        if client is None or not client.usable(now()):
            raise InvalidClientError(status_code=401, description="Client authentication failed.")
        client.last_used_at = now()
        return client

    def query_client(self, client_id: str) -> OAuthClient | None:
        return self.session.get(OAuthClient, client_id)

    def save_token(self, token: dict[str, Any], request: Request) -> None:
        if "refresh_token" in token:
            self.session.add(
                OAuthRefreshToken(
                    hash=digest(token["refresh_token"]),
                    grant_id=self.require_grant().id,
                    expires_at=now() + timedelta(seconds=REFRESH_SECONDS),
                )
            )

    def open_grant(
        self, client: OAuthClient, account_id: UUID, tenant_id: UUID, scope: str, *, seconds: int | None = None
    ) -> OAuthGrant:
        ends = now() + timedelta(seconds=seconds) if seconds else None
        self.grant = OAuthGrant(
            client_id=client.client_id, account_id=account_id, tenant_id=tenant_id, scope=scope, expires_at=ends
        )
        self.session.add(self.grant)
        self.session.flush()
        return self.grant

    def require_grant(self) -> OAuthGrant:
        if self.grant is None:
            raise InvalidGrantError()
        return self.grant

    def lookup(self, token: str) -> RefreshToken | None:
        """The grant behind a refresh token or an access token of ours."""
        row = self.session.get(OAuthRefreshToken, digest(token))
        if row is not None:
            return RefreshToken(row, self.session.get_one(OAuthGrant, row.grant_id))
        try:
            keys = KeySet(list(self.keys.known.values()))
            sid = jwt.decode(token, keys, algorithms=["ES256"]).claims["sid"]
        except (JoseError, ValueError, KeyError):
            return None
        grant = self.session.get(OAuthGrant, UUID(sid))
        return RefreshToken(None, grant) if grant else None

    def answer_token(self, request: Request) -> Response:
        """The token endpoint: refusals are answers, so that what they record commits."""
        try:
            return self.create_token_response(request)  # type: ignore[no-any-return]
        except OAuth2Error as error:
            return self.handle_error_response(request, error)  # type: ignore[no-any-return]

    def answer_revocation(self, request: Request) -> Response:
        try:
            return self.create_endpoint_response(Revocation.ENDPOINT_NAME, request)  # type: ignore[no-any-return]
        except OAuth2Error as error:
            return self.handle_error_response(request, error)  # type: ignore[no-any-return]
