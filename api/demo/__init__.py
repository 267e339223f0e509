"""The demo's organisations: founded by provisioning, then filled through the API itself by the people who may.

So every rule held while the data came to be, and nothing in it could not have been typed by a user.
"""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from api.oauth.session import auth_session
from api.provision import (
    act_for,
    add_membership,
    create_account,
    create_client,
    create_organisation,
    ensure_docs_client,
    issue_token,
)
from models.base import now
from models.organisations import BusinessUnit, Person
from models.policy import SCOPES, Role

Progress = Callable[[str], None]

READING = sorted(
    scope for scope in SCOPES if scope.endswith(":read") and scope not in ("confidential:read", "audit:read")
)
UNITS = ["PR", "Marketing", "Customer Service", "Sales"]
CAST = [
    ("Ada Admin", Role.ADMIN, "PR", "Administrator", 10),
    ("Petra Procurement", Role.PROCUREMENT, "Sales", "Head of procurement", 12),
    ("Pieter Procurement", Role.PROCUREMENT, "Sales", "Buyer", 9),
    ("Marit Marketing", Role.SPONSOR, "Marketing", "Marketing director", 14),
    ("Carlos Care", Role.SPONSOR, "Customer Service", "Director of customer service", 14),
    ("Olga Operations", Role.CHAMPION, "PR", "Chief operating officer", 16),
    ("Lena Lead", Role.LEAD, "PR", "Programme lead", 12),
    ("Axel Auditor", Role.AUDITOR, "PR", "Internal auditor", 11),
]
SKILLS = ["Social listening", "Community management", "Crisis communication", "Service design", "Pricing"]
COUNTRIES = ["NL", "BE", "FR", "DE", "DK"]


@dataclass
class Founded:
    """An organisation in the making: who may sign in, with which tokens."""

    id: UUID
    slug: str
    name: str
    people: list[dict[str, Any]] = field(default_factory=list)
    clients: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def credentials(self) -> dict[str, Any]:
        return {"slug": self.slug, "name": self.name, "people": self.people, "clients": self.clients}


async def load_demo(app: FastAPI, credentials: Path, progress: Progress) -> dict[str, Any]:
    """The demo's credentials; on a fresh database its organisations are made first, and the credentials kept (0600)."""
    if credentials.exists():
        kept: dict[str, Any] = json.loads(credentials.read_text())
        return kept
    settings = app.state.settings
    async with auth_session(app) as session:
        await ensure_docs_client(session, settings)
    made = []
    for slug, name in (("north-ferries", "North Ferries"), ("harbour-museum", "Harbour Museum")):
        progress(f"Founding {name}")
        made.append(await _found(app, slug, name))
    progress("Registering and vetting experts")
    await _fill(app, made[0], experts=30)
    await _fill(app, made[1], experts=3)
    told = {
        "issuer": settings.issuer,
        "api": settings.audience,
        "organisations": [organisation.credentials() for organisation in made],
    }
    write_secret(credentials, json.dumps(told, indent=2) + "\n")
    return told


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first moment on."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


async def _found(app: FastAPI, slug: str, name: str) -> Founded:
    async with auth_session(app) as session:
        tenant_id = await create_organisation(
            session, slug=slug, name=name, country="NL", time_zone="Europe/Amsterdam", currency="EUR", sandbox=True
        )
        made = Founded(tenant_id, slug, name)
        units = {unit: BusinessUnit(name=unit) for unit in UNITS}
        session.add_all(units.values())
        await session.flush()
        for person, role, unit, title, grade in CAST:
            email = f"{person.split()[0].lower()}@{slug}.example"
            row = Person(
                name=person, email=email, unit_id=units[unit].id, job_title=title, is_manager=grade >= 12, grade=grade
            )
            session.add(row)
            await session.flush()
            password = f"{secrets.token_hex(3)}-{secrets.token_hex(3)}-{secrets.token_hex(3)}"
            account_id = await create_account(session, email=email, name=person, password=password)
            await add_membership(session, tenant_id, account_id, [role], person_id=row.id)
            act_for(session, tenant_id)
            made.people.append({"name": person, "email": email, "password": password, "roles": [role]})
            made.tokens[person] = await issue_token(
                session,
                app.state.keys,
                app.state.settings,
                client_id="docs",
                account_id=account_id,
                tenant_id=tenant_id,
                scopes=frozenset(SCOPES),
            )
        client_id, secret = await create_client(session, tenant_id, f"{slug} dashboard", [Role.DASHBOARD], READING)
        made.clients.append({"client_id": client_id, "client_secret": secret, "scopes": READING})
    return made


async def _fill(app: FastAPI, made: Founded, experts: int) -> None:
    buyer, colleague = _client(app, made, "Petra Procurement"), _client(app, made, "Pieter Procurement")
    today = now().date()
    async with buyer, colleague:
        for n in range(experts):
            await _expert(buyer, colleague, n, today)


def _client(app: FastAPI, made: Founded, person: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {made.tokens[person]}"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=app.state.settings.audience, headers=headers
    )


async def _expert(buyer: httpx.AsyncClient, colleague: httpx.AsyncClient, n: int, today: date) -> None:
    """One expert on its way: some are prospects still, most are approved, one is suspended."""
    expert = await _post(
        buyer,
        "/experts",
        {
            "name": f"Expert {n + 1:02}",
            "email": f"expert{n + 1:02}@experts.example",
            "firm": f"Studio {n % 7 + 1}",
            "country": COUNTRIES[n % len(COUNTRIES)],
            "skills": [SKILLS[n % len(SKILLS)], SKILLS[(n + 2) % len(SKILLS)]],
            "languages": ["en", "nl"],
        },
    )
    path = f"/experts/{expert['id']}"
    if n % 6 == 5:
        return
    await _post(buyer, f"{path}/start-vetting")
    for client, result in (("River Transit", "complaints answered within a day: 41 % to 88 %"),) + (
        (("City Theatre", "seats sold through own channels: 12 % to 30 %"),) if n % 6 != 4 else ()
    ):
        claim = await _post(
            buyer,
            "/expertise-claims",
            {
                "expert_id": expert["id"],
                "skill": expert["skills"][0],
                "evidence_type": "client_outcome",
                "client": client,
                "result": result,
            },
        )
        await _post(colleague, f"/expertise-claims/{claim['id']}/verify")
    until = today + timedelta(days=20 + 13 * n)
    for kind in ("identity", "conflict_of_interest"):
        check = {"expert_id": expert["id"], "kind": kind, "result": "passed", "valid_until": until.isoformat()}
        await _post(buyer, "/vetting-checks", check)
    if n % 6 == 4:
        return
    await _post(buyer, f"{path}/approve")
    if n == 7:
        await _post(buyer, f"{path}/suspend", {"reason": "Insurance under discussion."})


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await client.post(path, json=body) if body else await client.post(path)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
