"""The demo's organisations: founded by provisioning, then filled through the API itself by the people who may.

So every rule held while the data came to be, and nothing in it could not have been typed by a user.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from api.demo.cast import found
from api.demo.portfolio import SPAN, fill
from api.oauth.session import auth_session
from api.provision import ensure_docs_client

Progress = Callable[[str], None]


async def load_demo(app: FastAPI, credentials: Path, progress: Progress) -> dict[str, Any]:
    """The demo's credentials; on a fresh database its organisations are made first, and the credentials kept (0600)."""
    if credentials.exists():
        kept: dict[str, Any] = json.loads(credentials.read_text())
        return kept
    settings = app.state.settings
    async with auth_session(app) as session:
        await ensure_docs_client(session, settings)
    progress("Founding North Ferries and Harbour Museum")
    ferries = await found(app, "north-ferries", "North Ferries", behind=SPAN)
    museum = await found(app, "harbour-museum", "Harbour Museum")
    await fill(ferries, progress)
    told = {
        "issuer": settings.issuer,
        "api": settings.audience,
        "organisations": [house.credentials() for house in (ferries, museum)],
    }
    for house in (ferries, museum):
        await house.close()
    write_secret(credentials, json.dumps(told, indent=2) + "\n")
    return told


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first moment on."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
