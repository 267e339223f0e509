"""The machine's side of the authorization server: token, revocation, keys and metadata."""

from collections.abc import Callable

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.oauth.grants import EVERY_METHOD, Revocation
from api.oauth.parameters import Asked
from api.oauth.server import Server, with_server
from models.policy import SCOPES

router = APIRouter()

FORM = "application/x-www-form-urlencoded"


@router.post("/oauth/token")
async def token(request: Request) -> Response:
    """RFC 6749 §3.2: a code, a refresh token or a client's own credentials become an access token."""
    return await _answer(request, lambda server, asked: server.create_token_response(asked))


@router.post("/oauth/revoke")
async def revoke(request: Request) -> Response:
    """RFC 7009: end the grant behind a token."""
    return await _answer(
        request, lambda server, asked: server.create_endpoint_response(Revocation.ENDPOINT_NAME, asked)
    )


async def _answer(request: Request, respond: Callable[[Server, Asked], Response]) -> Response:
    try:
        asked = await _asked(request)
    except OAuth2Error as error:
        status, body, headers = error()
        return JSONResponse(body, status, dict(headers))
    return await with_server(request.app, lambda server: respond(server, asked))


async def _asked(request: Request) -> Asked:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"Send {FORM}.")
    body = (await request.body()).decode("utf-8", "replace")
    # The address is the configured one: the Host header is the caller's to invent.
    return Asked("POST", request.app.state.settings.issuer + request.url.path, request.headers, body)


@router.get("/oauth/jwks")
async def jwks(request: Request) -> Response:
    """RFC 7517: the keys that access tokens are signed with."""
    return JSONResponse(request.app.state.keys.jwks(), headers={"cache-control": "public, max-age=300"})


# The second address is where OpenID clients look first; RFC 8414 §5 lets it tell the same without OpenID Connect.
@router.get("/.well-known/oauth-authorization-server")
@router.get("/.well-known/openid-configuration")
async def authorization_server_metadata(request: Request) -> Response:
    """RFC 8414: what this authorization server does, and where."""
    issuer = request.app.state.settings.issuer
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/oauth/token",
            "revocation_endpoint": f"{issuer}/oauth/revoke",
            "jwks_uri": f"{issuer}/oauth/jwks",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": EVERY_METHOD,
            "revocation_endpoint_auth_methods_supported": EVERY_METHOD,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "service_documentation": f"{issuer}/docs",
        }
    )


@router.get("/.well-known/oauth-protected-resource/v1")
async def protected_resource_metadata(request: Request) -> Response:
    """RFC 9728: whose tokens this API takes."""
    settings = request.app.state.settings
    return JSONResponse(
        {
            "resource": settings.audience,
            "authorization_servers": [settings.issuer],
            "scopes_supported": list(SCOPES),
            "bearer_methods_supported": ["header"],
        }
    )
