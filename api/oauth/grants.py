"""The ways to a token: a code with PKCE, a refresh token, a client's own credentials; and the way back, revocation.

Authlib drives these classes; `self.server` is the Server of this one request.
"""

from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
    grants,
)
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge

from api.oauth.parameters import Asked
from models.base import now
from models.oauth import (
    ACCESS_LIFE,
    CODE_LIFE,
    Account,
    AuthMethod,
    OAuthClient,
    OAuthCode,
    OAuthGrant,
    OAuthRefreshToken,
    digest,
)

EVERY_METHOD = [method.value for method in AuthMethod]
SECRET_METHODS = [AuthMethod.BASIC.value, AuthMethod.POST.value]


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """The code: its hash is kept, it works once, and a second use ends everything the first one gave."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD

    @staticmethod
    def validate_authorization_redirect_uri(request: Asked, client: OAuthClient) -> str:
        uri: str | None = request.payload.redirect_uri
        if uri is None or not client.check_redirect_uri(uri):
            raise InvalidRequestError("The redirect_uri is missing, or not one that the client registered.")
        return uri

    def save_authorization_code(self, code: str, request: Asked) -> None:
        grant, given = self.server.require_grant(), request.payload.data
        self.server.session.add(
            OAuthCode(
                hash=digest(code),
                grant_id=grant.id,
                client_id=grant.client_id,
                redirect_uri=given["redirect_uri"],
                scope=grant.scope,
                code_challenge=given["code_challenge"],
                expires_at=now() + CODE_LIFE,
            )
        )

    def query_authorization_code(self, code: str, client: OAuthClient) -> OAuthCode | None:
        row = self.server.session.get(OAuthCode, digest(code), with_for_update=True)
        # Whose it is comes first: or another client could end a stranger's grant.
        if row is None or row.client_id != client.client_id:
            return None
        grant = self.server.session.get_one(OAuthGrant, row.grant_id)
        if row.used_at is not None:
            grant.revoke("code used twice", now())
            return None
        if row.expires_at <= now() or grant.revoked_at is not None:
            return None
        self.server.grant = grant
        return row  # type: ignore[no-any-return]

    def authenticate_user(self, authorization_code: OAuthCode) -> Account:
        return self.server.require_account()  # type: ignore[no-any-return]

    def delete_authorization_code(self, authorization_code: OAuthCode) -> None:
        authorization_code.used_at = now()


class Pkce(CodeChallenge):  # type: ignore[misc]
    """S256 for every client: Authlib alone would ask public clients only, and take `plain`."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        given = grant.request.payload.data
        if not given.get("code_challenge") or given.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required: send code_challenge with code_challenge_method=S256.")
        super().validate_code_challenge(grant, redirect_uri)


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    """Rotation: a token works once. Its second use says that two hold it, so the family ends (RFC 9700 §4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True
    used: OAuthRefreshToken

    def authenticate_refresh_token(self, refresh_token: str) -> OAuthGrant | None:
        row = self.server.session.get(OAuthRefreshToken, digest(refresh_token), with_for_update=True)
        grant: OAuthGrant | None = row and self.server.session.get_one(OAuthGrant, row.grant_id)
        # Whose it is comes first: or another client could end a stranger's family.
        if grant is None or not grant.check_client(self.request.client):
            return None
        if row.used_at is not None:
            grant.revoke("refresh token used twice", now())
        if grant.revoked_at is not None or row.expires_at <= now():
            return None
        self.used, self.server.grant = row, grant
        return grant

    def authenticate_user(self, refresh_token: OAuthGrant) -> Account:
        return self.server.require_account()  # type: ignore[no-any-return]

    def revoke_old_credential(self, refresh_token: OAuthGrant) -> None:
        self.used.used_at = now()


class ClientGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    """A client acting as itself: as its own account, in its own organisation."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET_METHODS

    def validate_token_request(self) -> None:
        super().validate_token_request()
        client = self.request.client
        if client.account_id is None or client.tenant_id is None:
            raise UnauthorizedClientError("The client has no account of its own to act as.")
        scope = client.get_allowed_scope(self.request.payload.scope)
        if scope is None:
            raise InvalidScopeError()
        at = now()
        grant = OAuthGrant(
            client_id=client.client_id,
            account_id=client.account_id,
            tenant_id=client.tenant_id,
            scope=scope,
            auth_time=at,
            expires_at=at + ACCESS_LIFE,
        )
        self.server.open_grant(grant)
        self.server.require_account()


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009: any token of a grant ends the grant; an unknown one is answered alike."""

    CLIENT_AUTH_METHODS = EVERY_METHOD

    def check_params(self, request: Asked, client: OAuthClient) -> None:
        if "token" not in request.form:
            raise InvalidRequestError("The parameter token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> OAuthGrant | None:
        return self.server.grant_of(token_string)  # type: ignore[no-any-return]

    def revoke_token(self, token: OAuthGrant, request: Asked) -> None:
        token.revoke("revoked by its client", now())
