"""The machine's side of the authorization server: token, revocation, keys and metadata."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.oauth import server
from api.oauth.session import auth_session
from models.policy import SCOPES

router = APIRouter()

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"cache-control": "no-store"}


@router.post("/oauth/token")
async def token(request: Request) -> Response:
    """RFC 6749 §3.2: a code, a refresh token or a client's own credentials become an access token."""
    return await _answer(request, server.Server.answer_token)


@router.post("/oauth/revoke")
async def revoke(request: Request) -> Response:
    """RFC 7009: end the grant behind a token."""
    return await _answer(request, server.Server.answer_revocation)


async def _answer(request: Request, answer: Callable[[server.Server, server.Request], Response]) -> Response:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return JSONResponse({"error": "invalid_request", "error_description": f"Send {FORM}."}, 400, NO_STORE)
    body = (await request.body()).decode("utf-8", "replace")
    asked = server.Request("POST", request.app.state.settings.issuer + request.url.path, request.headers, body)
    answered: Response = await with_server(request, lambda found: answer(found, asked))
    return answered


async def with_server(request: Request, work: Callable[[server.Server], Any]) -> Any:
    """Run Authlib's synchronous code on the async session, in one transaction that also refusals commit."""
    state = request.app.state
    async with auth_session(request.app) as session:
        return await session.run_sync(lambda sync: work(server.Server(sync, state.settings, state.keys)))


@router.get("/oauth/jwks")
async def jwks(request: Request) -> Response:
    """RFC 7517: the keys that access tokens are signed with."""
    return JSONResponse(request.app.state.keys.jwks(), headers={"cache-control": "public, max-age=300"})


@router.get("/.well-known/oauth-authorization-server")
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
            "token_endpoint_auth_methods_supported": server.EVERY_METHOD,
            "revocation_endpoint_auth_methods_supported": server.EVERY_METHOD,
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
