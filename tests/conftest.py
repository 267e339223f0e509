"""Real PostgreSQL, the app as it runs, real tokens, committed data.

Every test founds an organisation of its own, so the walls that keep tenants apart keep tests apart too: nothing is
rolled back, and what a test saw committed was committed.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from api.app import create_app
from api.database import Cluster, ExternalCluster, create_database, ensure_database, migrate, prepare_roles
from api.demo import cast
from api.oauth.session import auth_session
from api.provision import act_for, add_membership, create_account, create_organisation, ensure_docs_client, issue_token
from api.settings import Settings
from models.organisations import BusinessUnit, Person
from models.policy import SCOPES

ISSUER = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The embedded server without durability, or the server of TRACKER_TEST_SUPERUSER_URL."""
    cluster: Cluster
    folder = None
    if url := os.environ.get("TRACKER_TEST_SUPERUSER_URL"):
        cluster = ExternalCluster(url)
    else:
        # Not pytest's folder: for root that is closed to the user that the server runs as.
        folder = Path(tempfile.mkdtemp(prefix="tracker-"))
        cluster = ensure_database(folder, throwaway=True)
    prepare_roles(cluster)
    yield cluster
    cluster.stop()
    if folder:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def database(cluster: Cluster) -> str:
    """The name of a migrated database of this test worker's own."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    create_database(cluster, name)
    migrate(cluster.url("tracker_owner", name))
    return name


@pytest.fixture(scope="session")
def settings(cluster: Cluster, database: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data_dir: Path = tmp_path_factory.mktemp("data")
    return Settings(
        database_url=cluster.url("tracker_app", database),
        data_dir=data_dir,
        issuer=ISSUER,
        log_level="error",
        requests_per_minute=1_000_000,
    )


@pytest.fixture(scope="session")
async def app(anyio_backend: str, settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with LifespanManager(app, startup_timeout=60):
        async with auth_session(app) as session:
            await ensure_docs_client(session, settings)
        yield app


@dataclass
class House:
    """An organisation to test in: call `client` for a caller with real tokens of a member who holds these roles."""

    app: FastAPI
    id: uuid.UUID
    slug: str
    unit_id: uuid.UUID
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def person(
        self, name: str = "Ann", *, unit_id: uuid.UUID | None = None, is_manager: bool = True
    ) -> uuid.UUID:
        """A person of the organisation, a manager of grade 15 by default."""
        async with auth_session(self.app) as session:
            act_for(session, self.id)
            row = Person(
                tenant_id=self.id,
                name=name,
                email=f"{uuid.uuid4().hex}@example.org",
                unit_id=unit_id or self.unit_id,
                job_title="Manager",
                is_manager=is_manager,
                grade=15,
            )
            session.add(row)
            await session.flush()
            return row.id

    async def unit(self, name: str) -> uuid.UUID:
        async with auth_session(self.app) as session:
            act_for(session, self.id)
            row = BusinessUnit(tenant_id=self.id, name=name)
            session.add(row)
            await session.flush()
            return row.id

    async def client(
        self,
        *roles: str,
        person_id: uuid.UUID | None = None,
        expert_id: uuid.UUID | None = None,
        scopes: frozenset[str] | None = None,
    ) -> httpx.AsyncClient:
        """A caller with a real token: of `expert_id`, of `person_id`, or of a new person, holding these roles."""
        if person_id is None and expert_id is None and roles != ("dashboard",):
            person_id = await self.person(" ".join(roles))
        async with auth_session(self.app) as session:
            email = f"{uuid.uuid4().hex}@example.org"
            account_id = await create_account(session, email=email, name="Tester", password=None)
            await add_membership(session, self.id, account_id, list(roles), person_id=person_id, expert_id=expert_id)
            token = await issue_token(
                session,
                self.app.state.keys,
                self.app.state.settings,
                client_id="docs",
                account_id=account_id,
                tenant_id=self.id,
                scopes=frozenset(SCOPES) if scopes is None else scopes,
            )
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url=f"{ISSUER}/v1",
            headers={"authorization": f"Bearer {token}"},
        )
        self.clients.append(client)
        return client


async def found(app: FastAPI) -> House:
    slug = f"house-{uuid.uuid4().hex[:12]}"
    async with auth_session(app) as session:
        tenant_id = await create_organisation(
            session, slug=slug, name="House", country="NL", time_zone="Europe/Amsterdam", currency="EUR", sandbox=True
        )
        unit = BusinessUnit(tenant_id=tenant_id, name="Marketing")
        session.add(unit)
        await session.flush()
        return House(app, tenant_id, slug, unit.id)


@pytest.fixture
async def house(app: FastAPI) -> AsyncIterator[House]:
    """A fresh sandbox organisation with one unit."""
    house = await found(app)
    yield house
    for client in house.clients:
        await client.aclose()


@pytest.fixture
async def other_house(app: FastAPI) -> AsyncIterator[House]:
    """A second organisation, which must see nothing of the first."""
    house = await found(app)
    yield house
    for client in house.clients:
        await client.aclose()


@pytest.fixture
async def ferries(app: FastAPI) -> AsyncIterator[cast.House]:
    """An organisation with the demo's cast: a voice for each role, and two managers who may sponsor."""
    house = await cast.found(app, f"ferries-{uuid.uuid4().hex[:12]}", "North Ferries")
    yield house
    await house.close()


@pytest.fixture
async def museum(app: FastAPI) -> AsyncIterator[cast.House]:
    """A second organisation with a cast of its own."""
    house = await cast.found(app, f"museum-{uuid.uuid4().hex[:12]}", "Harbour Museum")
    yield house
    await house.close()


def more_of(house: cast.House) -> House:
    """The same organisation, to add people and callers with roles of one's choice."""
    return House(house.app, house.id, house.slug, uuid.UUID(house.units["PR"]))
