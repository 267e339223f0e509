"""Rules that nobody has to remember."""

import ast
import re
from pathlib import Path

import asyncpg
from fastapi import FastAPI

from api.app import AREAS
from models.base import Row
from models.journal import Event
from models.policy import RULES, SCOPES, Role

ROOT = Path(__file__).parent.parent
SOURCES = [p for room in ("api", "models", "migrations") for p in (ROOT / room).rglob("*.py")]


def test_models_never_await() -> None:
    for path in (ROOT / "models").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        assert not [n for n in nodes if isinstance(n, ast.Await | ast.AsyncFunctionDef)], path


def test_every_module_says_what_it_is_for() -> None:
    bare = [p for p in SOURCES if p.read_text().strip() and not ast.get_docstring(ast.parse(p.read_text()))]
    assert bare == []


def test_no_module_grows_past_the_eye() -> None:
    assert [p for p in SOURCES if len(p.read_text().splitlines()) > 420 and "versions" not in p.parts] == []


def test_every_scope_of_a_rule_is_described_and_every_scope_is_used() -> None:
    used = {rule.scope for rule in RULES.values() if rule.scope}
    assert used <= SCOPES.keys()


def test_dashboards_auditors_and_experts_stay_in_their_lane() -> None:
    for name, rule in RULES.items():
        writes = rule.scope is not None and not rule.scope.endswith(":read")
        assert not (writes and {Role.DASHBOARD, Role.AUDITOR} & (rule.roles | rule.own)) or name.startswith(
            ("list_", "get_")
        ), name


def test_a_route_without_a_row_in_the_policy_table_stops_the_start(app: FastAPI) -> None:
    import pytest

    from api.app import Unruled, require_rules
    from api.me import router

    async def planted() -> None: ...

    router.add_api_route("/planted", planted, methods=["GET"])
    try:
        with pytest.raises(Unruled, match="planted"):
            require_rules()
    finally:
        router.routes.pop()


def test_every_operation_says_its_scope_and_what_it_does(app: FastAPI) -> None:
    for path, found in app.openapi()["paths"].items():
        for method, operation in found.items():
            assert operation["security"], f"{method} {path}"
            assert operation["summary"], f"{method} {path}"
            assert re.fullmatch(r"(/v1|/[a-z-]+|/\{[a-z_]+\})+", path), path


def test_no_table_is_a_request_body_or_an_answer() -> None:
    tables = {mapper.class_ for mapper in Row._sa_registry.mappers}
    for area in AREAS:
        for route in (r for r in area.router.routes if hasattr(r, "response_model")):
            assert route.response_model not in tables
            assert not [p for p in route.dependant.body_params if p.field_info.annotation in tables]


async def test_every_tenant_table_stands_behind_its_walls(cluster, database: str) -> None:
    """Forced row-level security, the tenant's policy, and what an expert may see, on every table with a tenant."""
    connection = await asyncpg.connect(cluster.url("tracker_owner", database))
    try:
        bare = await connection.fetch(
            """select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
                where c.relkind in ('r', 'p') and c.relname not like 'oauth%' and c.relname <> 'one_time_links'
                  and not (c.relrowsecurity and c.relforcerowsecurity and exists (
                    select from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant_wall'))"""
        )
        assert [r[0] for r in bare] == []
        sighted = {
            r[0]
            for r in await connection.fetch("select polrelid::regclass::text from pg_policy where not polpermissive")
        }
    finally:
        await connection.close()
    walled = [m.class_ for m in Row._sa_registry.mappers if issubclass(m.class_, Row | Event)]
    assert {c.__tablename__ for c in walled if c.expert_sight.rule is not None} <= sighted


async def test_outside_the_door_every_tenant_table_raises(settings, app: FastAPI) -> None:
    """No tenant is an error, loudly: on a fresh connection and on one that served a tenant before."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        for setup in ("select 1", "select set_config('app.tenant_id', '', false)"):
            await connection.execute(setup)
            for table in ("organisations", "people", "events"):
                try:
                    await connection.fetch(f"select id from {table}")
                except asyncpg.PostgresError:
                    continue
                raise AssertionError(f"{table} answered without a tenant")
    finally:
        await connection.close()


async def test_nobody_rewrites_the_journal(settings, app: FastAPI) -> None:
    connection = await asyncpg.connect(settings.database_url)
    try:
        for statement in ("update events set type = 'x'", "delete from events"):
            try:
                await connection.execute(statement)
            except asyncpg.InsufficientPrivilegeError:
                continue
            raise AssertionError(statement)
    finally:
        await connection.close()
