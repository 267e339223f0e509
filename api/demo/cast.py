"""The people of a demo organisation: who they are, what they may do, and their voices over HTTP."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from api.oauth.session import auth_session
from api.provision import act_for, add_membership, create_account, create_client, create_organisation, issue_token
from models.base import now
from models.organisations import BusinessUnit, Person
from models.policy import SCOPES, Role

READING = sorted(
    scope for scope in SCOPES if scope.endswith(":read") and scope not in ("confidential:read", "audit:read")
)
UNITS = ["PR", "Marketing", "Customer Service", "Sales"]


@dataclass(frozen=True)
class Part:
    """One of the organisation's people, and the role in which they act."""

    name: str
    role: Role
    unit: str
    job_title: str
    grade: int


CAST = [
    Part("Ada Admin", Role.ADMIN, "PR", "Administrator", 10),
    Part("Petra Procurement", Role.PROCUREMENT, "Sales", "Head of procurement", 12),
    Part("Pieter Procurement", Role.PROCUREMENT, "Sales", "Buyer", 9),
    Part("Marit Marketing", Role.SPONSOR, "Marketing", "Marketing director", 14),
    Part("Carlos Care", Role.SPONSOR, "Customer Service", "Director of customer service", 14),
    Part("Olga Operations", Role.CHAMPION, "PR", "Chief operating officer", 16),
    Part("Lena Lead", Role.LEAD, "PR", "Programme lead", 12),
    Part("Eva Evangelist", Role.EVANGELIST, "PR", "Communication adviser", 10),
    Part("Dora Data", Role.DATA_OWNER, "Customer Service", "Head of customer data", 12),
    Part("Mila Member", Role.MEMBER, "Customer Service", "Team lead web care", 8),
    Part("Tom Team", Role.MEMBER, "Marketing", "Content editor", 7),
    Part("Axel Auditor", Role.AUDITOR, "PR", "Internal auditor", 11),
]


class Voice:
    """One caller. A refusal that was not expected stops the demo, with what the API said."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        return _told(await self.client.get(path, params=query))

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        return _told(await (self.client.post(path, json=body) if body else self.client.post(path)))


def _told(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
    told: dict[str, Any] = answer.json()
    return told


@dataclass
class House:
    """An organisation with its cast: ids by name, voices by first name, and its clock."""

    app: FastAPI
    id: UUID
    slug: str
    name: str
    units: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    voices: dict[str, Voice] = field(default_factory=dict)
    sign_ins: list[dict[str, Any]] = field(default_factory=list)
    clients: list[dict[str, Any]] = field(default_factory=list)
    today: date = field(default_factory=lambda: now().date())

    def __getitem__(self, name: str) -> Voice:
        return self.voices[name]

    def credentials(self) -> dict[str, Any]:
        return {"slug": self.slug, "name": self.name, "people": self.sign_ins, "clients": self.clients}

    async def until(self, day: date) -> None:
        """Move the organisation's clock to the morning of a day, unless that has passed."""
        if day > self.today:
            self.today = day
            await self["Ada"].post(
                "/clock/advance", to=f"{datetime(day.year, day.month, day.day, 8):%Y-%m-%dT%H:%M:%SZ}"
            )

    async def hire(self, expert: Mapping[str, Any]) -> Voice:
        """Give a registered expert an account here, and hear them."""
        async with auth_session(self.app) as session:
            voice = await self._sign_up(
                session, expert["name"], expert["email"], Role.EXPERT, expert_id=UUID(expert["id"])
            )
        return voice

    async def close(self) -> None:
        for voice in self.voices.values():
            await voice.client.aclose()

    async def _sign_up(
        self,
        session: AsyncSession,
        name: str,
        email: str,
        role: Role,
        *,
        person_id: UUID | None = None,
        expert_id: UUID | None = None,
    ) -> Voice:
        password = "-".join(secrets.token_hex(3) for _ in range(3))
        account_id = await create_account(session, email=email, name=name, password=password)
        await add_membership(session, self.id, account_id, [role], person_id=person_id, expert_id=expert_id)
        token = await issue_token(
            session,
            self.app.state.keys,
            self.app.state.settings,
            client_id="docs",
            account_id=account_id,
            tenant_id=self.id,
            scopes=frozenset(SCOPES),
        )
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url=self.app.state.settings.audience,
            headers={"authorization": f"Bearer {token}"},
        )
        self.sign_ins.append({"name": name, "email": email, "password": password, "roles": [role]})
        voice = self.voices[name if role is Role.EXPERT else name.split()[0]] = Voice(client)
        return voice


async def found(app: FastAPI, slug: str, name: str, *, behind: timedelta = timedelta(0)) -> House:
    """A sandbox organisation with units, people who can sign in, and a dashboard's client; its clock starts behind."""
    async with auth_session(app) as session:
        tenant_id = await create_organisation(
            session,
            slug=slug,
            name=name,
            country="NL",
            time_zone="Europe/Amsterdam",
            currency="EUR",
            sandbox=True,
            clock_offset=-behind,
        )
        house = House(app, tenant_id, slug, name, today=(now() - behind).date())
        rows = {unit: BusinessUnit(name=unit) for unit in UNITS}
        session.add_all(rows.values())
        await session.flush()
        house.units = {unit: str(row.id) for unit, row in rows.items()}
        for part in CAST:
            first = part.name.split()[0]
            person = Person(
                name=part.name,
                email=f"{first.lower()}@{slug}.example",
                unit_id=rows[part.unit].id,
                job_title=part.job_title,
                is_manager=part.grade >= 12,
                grade=part.grade,
            )
            act_for(session, tenant_id)
            session.add(person)
            await session.flush()
            house.people[first] = str(person.id)
            await house._sign_up(session, part.name, person.email, part.role, person_id=person.id)
        client_id, secret = await create_client(session, tenant_id, f"{slug} dashboard", [Role.DASHBOARD], READING)
        house.clients.append({"client_id": client_id, "client_secret": secret, "scopes": READING})
    return house
