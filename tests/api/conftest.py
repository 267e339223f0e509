"""What tests over HTTP share: a browser with somebody who can sign in."""

import secrets
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from api.oauth.session import auth_session
from api.provision import add_membership, create_account
from tests.browser import PASSWORD, Browser
from tests.conftest import ISSUER, House


@pytest.fixture
async def browser(app: FastAPI, house: House) -> AsyncIterator[Browser]:
    email = f"{uuid.uuid4().hex}@example.org"
    async with auth_session(app) as session:
        account_id = await create_account(session, email=email, name="Ann", password=PASSWORD)
        await add_membership(session, house.id, account_id, ["procurement"], person_id=None)
    transport = httpx.ASGITransport(app=app, client=(f"10.0.0.{secrets.randbelow(250)}", 1))
    async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
        yield Browser(http, email)
