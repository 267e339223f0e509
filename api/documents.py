"""/docs and /v1/openapi.json: the API described to people and programs, from this server alone."""

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from starlette.responses import FileResponse, JSONResponse, Response

from models.errors import Missing

router = APIRouter(include_in_schema=False)

ASSETS = Path(fastapi_offline.__file__).parent / "static"
SHOWN = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
# The page starts from an inline script of FastAPI's, shows data: images, and talks to this server only. The sign-in
# popup needs its opener, so no Cross-Origin-Opener-Policy here.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@router.get("/v1/openapi.json")
async def openapi_document(request: Request) -> Response:
    return JSONResponse(request.app.openapi(), headers={"cache-control": "public, max-age=60"})


@router.get("/docs")
async def docs(request: Request) -> Response:
    page = get_swagger_ui_html(
        openapi_url="/v1/openapi.json",
        title=request.app.title,
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="data:,",
        oauth2_redirect_url="/docs/oauth2-redirect",
        init_oauth={"clientId": "docs", "usePkceWithAuthorizationCodeGrant": True},
    )
    page.headers["content-security-policy"] = PAGE_POLICY
    return page


@router.get("/docs/oauth2-redirect")
async def docs_signed_in() -> Response:
    page = get_swagger_ui_oauth2_redirect_html()
    page.headers["content-security-policy"] = PAGE_POLICY
    return page


@router.get("/docs/assets/{name}")
async def docs_asset(name: str) -> Response:
    if name not in SHOWN:
        raise Missing("not-found", "There is no such file.")
    return FileResponse(ASSETS / name, media_type=SHOWN[name], headers={"cache-control": "public, max-age=86400"})
