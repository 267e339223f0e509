"""How the pages of the authorization server are made: one look, one strict policy, no scripts."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import FileResponse, HTMLResponse, Response

router = APIRouter()

TEMPLATES = Path(__file__).parent / "templates"
PAGES = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)


def page(name: str, title: str, status: int = 200, *, leads_to: str = "", problem: str = "", **values: Any) -> Response:
    """A page. `leads_to` is where the answer to its form may redirect: Chromium follows only what the policy names."""
    text = PAGES.get_template(name).render(title=title, problem=problem, **values)
    targets = f"'self' {_source(leads_to)}" if leads_to else "'self'"
    policy = f"default-src 'none'; style-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    return HTMLResponse(text, status, {"content-security-policy": policy, "cache-control": "no-store"})


def message(title: str, status: int, text: str) -> Response:
    return page("message.html", title, status, text=text)


def _source(uri: str) -> str:
    """The origin of a web address; the scheme alone of a native application, and of a host that no policy can name."""
    parts = urlsplit(uri)
    nameable = parts.netloc and "[" not in parts.netloc  # CSP knows no IPv6 address
    return f"{parts.scheme}://{parts.netloc}" if nameable else f"{parts.scheme}:"


@router.get("/oauth/page.css")
async def stylesheet() -> Response:
    return FileResponse(
        TEMPLATES / "page.css", media_type="text/css", headers={"cache-control": "public, max-age=3600"}
    )
