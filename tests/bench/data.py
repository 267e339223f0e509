"""The data set: tenants with their experts, engagements and milestones, written by the server itself.

Ids are made from a kind and a number, so that the load can name any row without asking for it.
"""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
from asgi_lifespan import LifespanManager

from api.app import create_app
from api.oauth.session import auth_session
from api.provision import ensure_docs_client, issue_token
from api.settings import Settings
from models.policy import SCOPES

EXPERTS, MILESTONES, ASKED = 10, 10, 20
TENANT, UNIT, PERSON, PROGRAMME, EXPERT, ENGAGEMENT, MILESTONE, ACCOUNT = range(1, 9)

# As a superuser and without triggers: foreign keys hold by construction, and the counts are rebuilt at the end.
# Engagements and milestones are written in turns, since tenants grow side by side and none has its pages for itself.
SEED = """
set session_replication_role = replica;
create function pg_temp.id(kind int, n bigint) returns uuid language sql immutable as
  $$ select ('0190000' || kind || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

insert into organisations (tenant_id, id, version, created_at, updated_at, name, country, time_zone, currency, locale,
                           slug, sandbox, suspended, clock_offset)
select pg_temp.id(1, t), pg_temp.id(1, t), 1, now(), now(), 'Tenant ' || t, 'NL', 'Europe/Amsterdam', 'EUR', 'en',
       'tenant-' || t, false, false, '0'
  from generate_series(0, {tenants} - 1) t;

insert into business_units (tenant_id, id, version, created_at, updated_at, name)
select pg_temp.id(1, t), pg_temp.id(2, t), 1, now(), now(), 'Marketing' from generate_series(0, {tenants} - 1) t;

insert into people (tenant_id, id, version, created_at, updated_at, name, email, unit_id, job_title, is_manager, grade)
select pg_temp.id(1, t), pg_temp.id(3, t), 1, now(), now(), 'Ann', 'ann@t' || t || '.example.org', pg_temp.id(2, t),
       'Buyer', true, 15
  from generate_series(0, {tenants} - 1) t;

insert into programmes (tenant_id, id, version, created_at, updated_at, title, home_unit_id, lead_id, status,
                        drafted_by)
select pg_temp.id(1, n / {experts}), pg_temp.id(4, n), 1, now(), now(), 'Programme ' || n,
       pg_temp.id(2, n / {experts}), pg_temp.id(3, n / {experts}), 'active', pg_temp.id(8, n)
  from generate_series(0, {tenants} * {experts} - 1) n;

insert into experts (tenant_id, id, version, created_at, updated_at, name, email, country, skills, languages, status)
select pg_temp.id(1, n / {experts}), pg_temp.id(5, n), 1, now(), now(), 'Expert ' || n,
       'expert' || n || '@example.org', 'NL', '[]', '["en"]', 'approved'
  from generate_series(0, {tenants} * {experts} - 1) n;

-- Accounts below the number of tenants belong to buyers, the others to each tenant's first expert.
insert into accounts (id, email, name, kind, status, created_at)
select pg_temp.id(8, n), 'member' || n || '@example.org', 'Member ' || n, 'person', 'active', now()
  from generate_series(0, {tenants} * 2 - 1) n;

insert into memberships (tenant_id, id, version, created_at, updated_at, account_id, roles, person_id, expert_id)
select pg_temp.id(1, n % {tenants}), pg_temp.id(8, n), 1, now(), now(), pg_temp.id(8, n),
       case when n < {tenants} then '{{procurement}}'::text[] else '{{expert}}' end,
       case when n < {tenants} then pg_temp.id(3, n) end,
       case when n >= {tenants} then pg_temp.id(5, (n - {tenants}) * {experts}) end
  from generate_series(0, {tenants} * 2 - 1) n;

insert into engagements (tenant_id, id, version, created_at, updated_at, programme_id, expert_id, title, mode,
                         starts_on, ends_on, value_amount, value_currency, status, required_documents, drafted_by,
                         edited_by)
select pg_temp.id(1, n / {engagements}), pg_temp.id(6, n), 1, now(), now(),
       pg_temp.id(4, n / {engagements} * {experts} + n % {experts}),
       pg_temp.id(5, n / {engagements} * {experts} + n % {experts}), 'Listen to customers ' || n, 'assignment',
       current_date - 30, current_date + 300, 20000, 'EUR',
       case n / {experts} % 4 when 3 then 'paused' else 'active' end, '{{sow,nda}}', pg_temp.id(8, n), '{{}}'
  from generate_series(0, {tenants} * {engagements} - 1) n order by n % {engagements};

insert into milestones (tenant_id, id, version, created_at, updated_at, engagement_id, title, due_on, weight,
                        acceptance_criteria, required, status, percent)
select pg_temp.id(1, n / {milestones} / {engagements}), pg_temp.id(7, n), 1, now(), now(),
       pg_temp.id(6, n / {milestones}), 'Hand over part ' || n, current_date + (n % 300)::int, 1 + (n % 5)::int,
       'Two people of ours run it alone for a month.', true,
       ('{{planned,in_progress,in_progress,in_progress,in_progress,in_progress,submitted,accepted,accepted,waived}}'
        ::text[])[1 + n % 10], (n % 10)::int * 10
  from generate_series(0, {tenants} * {engagements} * {milestones} - 1) n order by n % ({engagements} * {milestones});

set session_replication_role = default;
select app.rebuild_portfolio_counts();
vacuum analyze;
"""


def id(kind: int, n: int) -> UUID:
    return UUID(f"0190000{kind}-0000-7000-8000-{n:012x}")


@dataclass(frozen=True)
class Data:
    """How large the data set is."""

    tenants: int
    engagements: int

    async def write(self, superuser_url: str) -> None:
        connection = await asyncpg.connect(superuser_url)
        sizes = {"tenants": self.tenants, "engagements": self.engagements}
        try:
            for statement in SEED.format(**sizes, experts=EXPERTS, milestones=MILESTONES).split(";\n"):
                if statement.strip():
                    await connection.execute(statement)
        finally:
            await connection.close()

    @property
    def asked(self) -> range:
        """The tenants whose members ask."""
        return range(0, self.tenants, max(1, self.tenants // ASKED))

    async def tokens(self, settings: Settings) -> list[tuple[str, str]]:
        """An access token of the buyer and of the first expert of each tenant that is asked."""
        app = create_app(settings)
        async with LifespanManager(app), auth_session(app) as session:
            await ensure_docs_client(session, settings)
            whose = [(t, (t, self.tenants + t)) for t in self.asked]
            return [
                tuple(  # type: ignore[misc]
                    [
                        await issue_token(
                            session,
                            app.state.keys,
                            settings,
                            client_id="docs",
                            account_id=id(ACCOUNT, n),
                            tenant_id=id(TENANT, tenant),
                            scopes=SCOPES,
                        )
                        for n in numbers
                    ]
                )
                for tenant, numbers in whose
            ]
