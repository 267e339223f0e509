"""The first tables, the door, the walls around every tenant table, and who may do what to them."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = depends_on = None

HERE = Path(__file__).parent.parent

WALLS = [
    "alter table business_units enable row level security",
    "alter table business_units force row level security",
    "create policy tenant_wall on business_units to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on business_units to tracker_worker using (true) with check (true)",
    "alter table events enable row level security",
    "alter table events force row level security",
    "create policy tenant_wall on events to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on events to tracker_worker using (true) with check (true)",
    "create policy expert_sight on events as restrictive to tracker_app using ((select app.expert_id()) is null or events.actor_id = (select app.account_id())) with check ((select app.expert_id()) is null or events.actor_id = (select app.account_id()))",
    "alter table expertise_claims enable row level security",
    "alter table expertise_claims force row level security",
    "create policy tenant_wall on expertise_claims to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on expertise_claims to tracker_worker using (true) with check (true)",
    "create policy expert_sight on expertise_claims as restrictive to tracker_app using ((select app.expert_id()) is null or expertise_claims.expert_id = (select app.expert_id())) with check ((select app.expert_id()) is null or expertise_claims.expert_id = (select app.expert_id()))",
    "alter table experts enable row level security",
    "alter table experts force row level security",
    "create policy tenant_wall on experts to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on experts to tracker_worker using (true) with check (true)",
    "create policy expert_sight on experts as restrictive to tracker_app using ((select app.expert_id()) is null or experts.id = (select app.expert_id())) with check ((select app.expert_id()) is null or experts.id = (select app.expert_id()))",
    "alter table idempotent_calls enable row level security",
    "alter table idempotent_calls force row level security",
    "create policy tenant_wall on idempotent_calls to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on idempotent_calls to tracker_worker using (true) with check (true)",
    "create policy expert_sight on idempotent_calls as restrictive to tracker_app using ((select app.expert_id()) is null or idempotent_calls.account_id = (select app.account_id())) with check ((select app.expert_id()) is null or idempotent_calls.account_id = (select app.account_id()))",
    "alter table memberships enable row level security",
    "alter table memberships force row level security",
    "create policy tenant_wall on memberships to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on memberships to tracker_worker using (true) with check (true)",
    "create policy expert_sight on memberships as restrictive to tracker_app using ((select app.expert_id()) is null or false) with check ((select app.expert_id()) is null or false)",
    "alter table organisations enable row level security",
    "alter table organisations force row level security",
    "create policy tenant_wall on organisations to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on organisations to tracker_worker using (true) with check (true)",
    "alter table people enable row level security",
    "alter table people force row level security",
    "create policy tenant_wall on people to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on people to tracker_worker using (true) with check (true)",
    "alter table policies enable row level security",
    "alter table policies force row level security",
    "create policy tenant_wall on policies to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on policies to tracker_worker using (true) with check (true)",
    "alter table vetting_checks enable row level security",
    "alter table vetting_checks force row level security",
    "create policy tenant_wall on vetting_checks to tracker_app using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))",
    "create policy worker_reach on vetting_checks to tracker_worker using (true) with check (true)",
    "create policy expert_sight on vetting_checks as restrictive to tracker_app using ((select app.expert_id()) is null or vetting_checks.expert_id = (select app.expert_id())) with check ((select app.expert_id()) is null or vetting_checks.expert_id = (select app.expert_id()))",
]
# The authorization server finds out who is calling: these tables it may see across tenants, by its own policy.
AUTH_REACH = ["organisations", "policies", "business_units", "people", "experts", "memberships", "events"]
# Of the app, only the authorization server (role tracker_auth) may touch how people and clients sign in.
SIGN_IN = [
    "accounts",
    "login_attempts",
    "login_sessions",
    "oauth_clients",
    "oauth_codes",
    "oauth_grants",
    "oauth_keys",
    "oauth_refresh_tokens",
    "one_time_links",
]
APPEND_ONLY = ["events"]


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("person", "client", name="accountkind", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum("active", "disabled", name="accountstatus", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
    )
    op.create_table(
        "business_units",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "parent_id"],
            ["business_units.tenant_id", "business_units.id"],
            name=op.f("fk_business_units_parent_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_business_units")),
        sa.UniqueConstraint("tenant_id", "name", name="uq_business_units_name"),
    )
    op.create_index(op.f("ix_business_units_parent_id"), "business_units", ["tenant_id", "parent_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_version", sa.Integer(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("on_behalf_of", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "commit_order",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_commit_order", "events", ["tenant_id", "commit_order", "id"], unique=False)
    op.create_index("ix_events_subject_id", "events", ["tenant_id", "subject_id", "id"], unique=False)
    op.create_table(
        "experts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("firm", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("skills", postgresql.JSONB(), nullable=False),
        sa.Column("languages", postgresql.JSONB(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "prospect",
                "in_vetting",
                "approved",
                "suspended",
                "blocked",
                name="expertstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_experts")),
        sa.UniqueConstraint("tenant_id", "email", name="uq_experts_email"),
    )
    op.create_table(
        "idempotent_calls",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "key", name=op.f("pk_idempotent_calls")),
    )
    op.create_index(op.f("ix_idempotent_calls_at"), "idempotent_calls", ["at"], unique=False)
    op.create_table(
        "login_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempts")),
    )
    op.create_index(op.f("ix_login_attempts_key"), "login_attempts", ["key"], unique=False)
    op.create_table(
        "oauth_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "next", "current", "retired", name="keystate", native_enum=False, create_constraint=True, length=None
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_oauth_keys")),
    )
    op.create_index("uq_oauth_keys_current", "oauth_keys", ["state"], unique=True, postgresql_where="state = 'current'")
    op.create_table(
        "organisations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("sandbox", sa.Boolean(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("clock_offset", sa.Interval(), nullable=False),
        sa.CheckConstraint(
            "sandbox or clock_offset = interval '0'", name=op.f("ck_organisations_clock_is_a_sandbox_matter")
        ),
        sa.CheckConstraint("id = tenant_id", name=op.f("ck_organisations_is_its_own_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("slug", name="uq_organisations_slug"),
    )
    op.create_table(
        "policies",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("min_sponsors", sa.Integer(), nullable=False),
        sa.Column("sponsors_from_distinct_units", sa.Boolean(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("champion_min_grade", sa.Integer(), nullable=False),
        sa.Column("allow_combined_roles", sa.Boolean(), nullable=False),
        sa.Column("max_rotation_months", sa.Integer(), nullable=False),
        sa.Column("vetting_min_claims", sa.Integer(), nullable=False),
        sa.Column("vetting_min_clients", sa.Integer(), nullable=False),
        sa.Column("msa_above_days", sa.Integer(), nullable=False),
        sa.Column("msa_above_value", sa.Integer(), nullable=False),
        sa.Column("assessment_valid_days", sa.Integer(), nullable=False),
        sa.Column("kt_payment_share", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = tenant_id", name=op.f("ck_policies_one_per_organisation")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_policies")),
    )
    op.create_table(
        "expertise_claims",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expert_id", sa.Uuid(), nullable=False),
        sa.Column("skill", sa.Text(), nullable=False),
        sa.Column(
            "evidence_type",
            sa.Enum(
                "client_outcome",
                "reference_call",
                "work_sample",
                "certification",
                "publication",
                "audience",
                name="evidencetype",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("verified_by", sa.Uuid(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_expertise_claims_expert_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_expertise_claims")),
    )
    op.create_index(op.f("ix_expertise_claims_expert_id"), "expertise_claims", ["tenant_id", "expert_id"], unique=False)
    op.create_table(
        "login_sessions",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_login_sessions_account_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_login_sessions")),
    )
    op.create_index(op.f("ix_login_sessions_account_id"), "login_sessions", ["account_id"], unique=False)
    op.create_table(
        "oauth_clients",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=True),
        sa.Column(
            "auth_method",
            sa.Enum(
                "none",
                "client_secret_basic",
                "client_secret_post",
                name="authmethod",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("grant_types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("redirect_uris", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_oauth_clients_account_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_oauth_clients")),
    )
    op.create_index(op.f("ix_oauth_clients_account_id"), "oauth_clients", ["account_id"], unique=False)
    op.create_table(
        "one_time_links",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_one_time_links_account_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_one_time_links")),
    )
    op.create_index(op.f("ix_one_time_links_account_id"), "one_time_links", ["account_id"], unique=False)
    op.create_table(
        "people",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("job_title", sa.Text(), nullable=False),
        sa.Column("is_manager", sa.Boolean(), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.Column("leaves_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "unit_id"], ["business_units.tenant_id", "business_units.id"], name=op.f("fk_people_unit_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_people")),
        sa.UniqueConstraint("tenant_id", "email", name="uq_people_email"),
    )
    op.create_index(op.f("ix_people_unit_id"), "people", ["tenant_id", "unit_id"], unique=False)
    op.create_table(
        "vetting_checks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expert_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "identity",
                "conflict_of_interest",
                "insurance",
                "tax",
                name="checkkind",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column(
            "result",
            sa.Enum("passed", "failed", name="checkresult", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("checked_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_vetting_checks_expert_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_vetting_checks")),
    )
    op.create_index(op.f("ix_vetting_checks_expert_id"), "vetting_checks", ["tenant_id", "expert_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("expert_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(expert_id is not null) = (roles = array['expert'])", name=op.f("ck_memberships_expert_is_only_expert")
        ),
        sa.CheckConstraint("person_id is null or expert_id is null", name=op.f("ck_memberships_one_side")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_memberships_expert_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"], ["people.tenant_id", "people.id"], name=op.f("fk_memberships_person_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("tenant_id", "account_id", name="uq_memberships_account_id"),
    )
    op.create_index(op.f("ix_memberships_expert_id"), "memberships", ["tenant_id", "expert_id"], unique=False)
    op.create_index(op.f("ix_memberships_person_id"), "memberships", ["tenant_id", "person_id"], unique=False)
    op.create_table(
        "oauth_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_oauth_grants_account_id")),
        sa.ForeignKeyConstraint(["client_id"], ["oauth_clients.client_id"], name=op.f("fk_oauth_grants_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_grants")),
    )
    op.create_index(op.f("ix_oauth_grants_account_id"), "oauth_grants", ["account_id"], unique=False)
    op.create_index(op.f("ix_oauth_grants_client_id"), "oauth_grants", ["client_id"], unique=False)
    op.create_table(
        "oauth_codes",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["grant_id"], ["oauth_grants.id"], name=op.f("fk_oauth_codes_grant_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_oauth_codes")),
    )
    op.create_index(op.f("ix_oauth_codes_grant_id"), "oauth_codes", ["grant_id"], unique=False)
    op.create_table(
        "oauth_refresh_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["grant_id"], ["oauth_grants.id"], name=op.f("fk_oauth_refresh_tokens_grant_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_oauth_refresh_tokens")),
    )
    op.create_index(op.f("ix_oauth_refresh_tokens_grant_id"), "oauth_refresh_tokens", ["grant_id"], unique=False)
    _run("door.sql")
    for ddl in WALLS:
        op.execute(ddl)
    op.execute("grant usage on schema public to tracker_app, tracker_worker, tracker_auth")
    op.execute("grant select, insert, update, delete on all tables in schema public to tracker_app, tracker_worker")
    op.execute(f"revoke all on {', '.join(SIGN_IN)} from tracker_app, tracker_worker")
    op.execute(f"grant select, insert, update, delete on {', '.join(SIGN_IN)} to tracker_auth")
    op.execute(f"grant select, delete on {', '.join(SIGN_IN)} to tracker_worker")
    op.execute(f"grant select, insert, update on {', '.join(AUTH_REACH)} to tracker_auth")
    for table in AUTH_REACH:
        op.execute(f"create policy auth_reach on {table} to tracker_auth using (true) with check (true)")
    for table in APPEND_ONLY:
        op.execute(f"revoke update, delete on {table} from tracker_app, tracker_worker, tracker_auth")


def downgrade() -> None:
    op.execute("drop schema app cascade")
    op.drop_table("oauth_refresh_tokens")
    op.drop_table("oauth_codes")
    op.drop_table("oauth_grants")
    op.drop_table("memberships")
    op.drop_table("vetting_checks")
    op.drop_table("people")
    op.drop_table("one_time_links")
    op.drop_table("oauth_clients")
    op.drop_table("login_sessions")
    op.drop_table("expertise_claims")
    op.drop_table("policies")
    op.drop_table("organisations")
    op.drop_table("oauth_keys")
    op.drop_table("login_attempts")
    op.drop_table("idempotent_calls")
    op.drop_table("experts")
    op.drop_table("events")
    op.drop_table("business_units")
    op.drop_table("accounts")


def _run(name: str) -> None:
    """Run a file of SQL, one statement at a time: the driver prepares each, and takes only one."""
    for statement in (HERE / name).read_text().split(";\n\n"):
        if statement.strip():
            op.execute(sa.text(statement.replace(":", "\\:")))
