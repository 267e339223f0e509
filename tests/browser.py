"""A person in a browser, as the tests of the authorization server play them."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.conftest import ISSUER

PASSWORD = "correct horse battery"
CALLBACK = f"{ISSUER}/docs/oauth2-redirect"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass
class Browser:
    """A person in a browser, and the public client `docs` they use."""

    http: httpx.AsyncClient
    email: str
    verifier: str = ""

    def authorize_url(self, **changes: str | None) -> str:
        self.verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": "docs",
            "redirect_uri": CALLBACK,
            "scope": "organisations:read experts:write admin",
            "state": "s-1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return "/authorize?" + urlencode({k: v for k, v in {**query, **changes}.items() if v is not None})

    async def sign_in(self, url: str, password: str = PASSWORD) -> httpx.Response:
        page = await self.http.get(url)
        assert page.status_code == 200, page.text
        form = {"csrf": hidden(page, "csrf"), "query": url.partition("?")[2], "email": self.email, "password": password}
        return await self.http.post("/login", data=form)

    async def code(self, url: str, decision: str = "allow", organisation: str | None = None) -> dict[str, str]:
        """Sign in, consent, and return what the redirect carries."""
        await self.sign_in(url)
        page = await self.http.get(url)
        chosen = organisation or re.findall(r'option value="([^"]+)"', page.text)[0]
        form = {"csrf": hidden(page, "csrf"), "organisation": chosen, "decision": decision}
        answer = await self.http.post(url, data=form)
        assert answer.status_code in (302, 303), answer.text
        assert answer.headers["location"].startswith(CALLBACK)
        return {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def exchange(self, code: str, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "docs",
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
        }
        return await self.http.post("/oauth/token", data={**form, **changes})

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "docs", **changes}
        return await self.http.post("/oauth/token", data=form)

    async def me(self, token: str) -> httpx.Response:
        return await self.http.get("/v1/me", headers={"authorization": f"Bearer {token}"})


def hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]
