"""The first tables, the door, the walls around every tenant table, and who may do what to them."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = depends_on = None

HERE = Path(__file__).parent.parent

# What an expert sees of each tenant table: a condition, or None for everything.
SIGHTS: dict[str, str | None] = {
    "access_grants": "exists (select 1 from engagements p where p.tenant_id = access_grants.tenant_id and p.id = access_grants.engagement_id)",
    "access_log": "access_log.account_id = (select app.account_id())",
    "assessments": "exists (select 1 from topics p where p.tenant_id = assessments.tenant_id and p.id = assessments.topic_id)",
    "asset_contents": "exists (select 1 from access_grants g join engagements e on e.tenant_id = g.tenant_id and e.id = g.engagement_id join contracts c on c.tenant_id = g.tenant_id and c.engagement_id = g.engagement_id where g.tenant_id = asset_contents.tenant_id and g.asset_id = asset_contents.asset_id and g.status = 'granted' and g.expires_at > (select app.now()) and e.status in ('active', 'handover', 'paused') and c.kind = 'nda' and c.signed_at is not null and (select app.today()) between c.effective_on and c.expires_on and coalesce(c.terminated_on > (select app.today()), true))",
    "assets": "exists (select 1 from programmes p where p.tenant_id = assets.tenant_id and p.id = assets.programme_id)",
    "assignments": "exists (select 1 from engagements p where p.tenant_id = assignments.tenant_id and p.id = assignments.engagement_id)",
    "business_units": None,
    "charters": "exists (select 1 from programmes p where p.tenant_id = charters.tenant_id and p.id = charters.programme_id)",
    "contract_versions": "exists (select 1 from contracts p where p.tenant_id = contract_versions.tenant_id and p.id = contract_versions.contract_id)",
    "contracts": "(contracts.expert_id = (select app.expert_id()) and contracts.sent_at is not null)",
    "deliverables": "exists (select 1 from engagements p where p.tenant_id = deliverables.tenant_id and p.id = deliverables.engagement_id)",
    "dossiers": "exists (select 1 from engagements p where p.tenant_id = dossiers.tenant_id and p.id = dossiers.engagement_id)",
    "engagements": "engagements.expert_id = (select app.expert_id())",
    "evaluations": "evaluations.expert_id = (select app.expert_id())",
    "events": "events.actor_id = (select app.account_id())",
    "expertise_claims": "expertise_claims.expert_id = (select app.expert_id())",
    "experts": "experts.id = (select app.expert_id())",
    "handover_certificates": "exists (select 1 from engagements p where p.tenant_id = handover_certificates.tenant_id and p.id = handover_certificates.engagement_id)",
    "handover_reservations": "exists (select 1 from handover_certificates p where p.tenant_id = handover_reservations.tenant_id and p.id = handover_reservations.certificate_id)",
    "idempotent_calls": "idempotent_calls.account_id = (select app.account_id())",
    "memberships": "false",
    "milestone_receivers": "exists (select 1 from milestones p where p.tenant_id = milestone_receivers.tenant_id and p.id = milestone_receivers.milestone_id)",
    "milestone_topics": "exists (select 1 from milestones p where p.tenant_id = milestone_topics.tenant_id and p.id = milestone_topics.milestone_id)",
    "milestones": "exists (select 1 from engagements p where p.tenant_id = milestones.tenant_id and p.id = milestones.engagement_id)",
    "objectives": "exists (select 1 from programmes p where p.tenant_id = objectives.tenant_id and p.id = objectives.programme_id)",
    "onboarding_tasks": "exists (select 1 from engagements p where p.tenant_id = onboarding_tasks.tenant_id and p.id = onboarding_tasks.engagement_id)",
    "organisations": None,
    "participations": "exists (select 1 from programmes p where p.tenant_id = participations.tenant_id and p.id = participations.programme_id)",
    "people": None,
    "policies": None,
    "portfolio_counts": "false",
    "programmes": "exists (select 1 from engagements e where e.tenant_id = programmes.tenant_id and e.programme_id = programmes.id)",
    "progress_entries": "exists (select 1 from engagements p where p.tenant_id = progress_entries.tenant_id and p.id = progress_entries.engagement_id)",
    "return_certificates": "exists (select 1 from engagements p where p.tenant_id = return_certificates.tenant_id and p.id = return_certificates.engagement_id)",
    "signatures": "exists (select 1 from contracts p where p.tenant_id = signatures.tenant_id and p.id = signatures.contract_id)",
    "sponsor_commitments": "exists (select 1 from programmes p where p.tenant_id = sponsor_commitments.tenant_id and p.id = sponsor_commitments.programme_id)",
    "topics": "exists (select 1 from engagements e where e.tenant_id = topics.tenant_id and e.programme_id = topics.programme_id)",
    "vetting_checks": "vetting_checks.expert_id = (select app.expert_id())",
}
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
APPEND_ONLY = [
    "access_log",
    "assessments",
    "contract_versions",
    "evaluations",
    "events",
    "progress_entries",
    "return_certificates",
    "signatures",
]


def upgrade() -> None:
    op.create_table(
        "access_log",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("expert_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column(
            "decision",
            sa.Enum("allow", "deny", name="decision", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("rules", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_access_log")),
    )
    op.create_index("ix_access_log_asset_id", "access_log", ["tenant_id", "asset_id", "id"], unique=False)
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
        "portfolio_counts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "collection", "status", name=op.f("pk_portfolio_counts")),
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
        "programmes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("home_unit_id", sa.Uuid(), nullable=False),
        sa.Column("lead_id", sa.Uuid(), nullable=True),
        sa.Column("champion_id", sa.Uuid(), nullable=True),
        sa.Column("evangelist_id", sa.Uuid(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "proposed",
                "active",
                "closing",
                "closed",
                "cancelled",
                name="programmestatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "champion_id"], ["people.tenant_id", "people.id"], name=op.f("fk_programmes_champion_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evangelist_id"], ["people.tenant_id", "people.id"], name=op.f("fk_programmes_evangelist_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "home_unit_id"],
            ["business_units.tenant_id", "business_units.id"],
            name=op.f("fk_programmes_home_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lead_id"], ["people.tenant_id", "people.id"], name=op.f("fk_programmes_lead_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_programmes")),
    )
    op.create_index(op.f("ix_programmes_champion_id"), "programmes", ["tenant_id", "champion_id"], unique=False)
    op.create_index(op.f("ix_programmes_evangelist_id"), "programmes", ["tenant_id", "evangelist_id"], unique=False)
    op.create_index(op.f("ix_programmes_home_unit_id"), "programmes", ["tenant_id", "home_unit_id"], unique=False)
    op.create_index(op.f("ix_programmes_lead_id"), "programmes", ["tenant_id", "lead_id"], unique=False)
    op.create_table(
        "assets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column(
            "classification",
            sa.Enum(
                "public",
                "internal",
                "confidential",
                "strictly_confidential",
                name="classification",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"], ["people.tenant_id", "people.id"], name=op.f("fk_assets_owner_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "programme_id"],
            ["programmes.tenant_id", "programmes.id"],
            name=op.f("fk_assets_programme_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_assets")),
    )
    op.create_index(op.f("ix_assets_owner_id"), "assets", ["tenant_id", "owner_id"], unique=False)
    op.create_index(op.f("ix_assets_programme_id"), "assets", ["tenant_id", "programme_id"], unique=False)
    op.create_table(
        "charters",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approach", sa.Text(), nullable=False),
        sa.Column(
            "means_source",
            sa.Enum("new", "reallocated", name="meanssource", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("means_from_unit_id", sa.Uuid(), nullable=True),
        sa.Column("horizon_on", sa.Date(), nullable=False),
        sa.Column("review_dates", sa.ARRAY(sa.Date()), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("means_amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("means_currency", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "in_review",
                "agreed",
                "superseded",
                name="charterstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("champion_endorsed", sa.Uuid(), nullable=True),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "(means_source = 'reallocated') = (means_from_unit_id is not null)",
            name=op.f("ck_charters_reallocated_from_a_unit"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "champion_endorsed"],
            ["people.tenant_id", "people.id"],
            name=op.f("fk_charters_champion_endorsed"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "means_from_unit_id"],
            ["business_units.tenant_id", "business_units.id"],
            name=op.f("fk_charters_means_from_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "programme_id"],
            ["programmes.tenant_id", "programmes.id"],
            name=op.f("fk_charters_programme_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_charters")),
        sa.UniqueConstraint("tenant_id", "programme_id", "number", name="uq_charters_number"),
    )
    op.create_index(op.f("ix_charters_champion_endorsed"), "charters", ["tenant_id", "champion_endorsed"], unique=False)
    op.create_index(
        op.f("ix_charters_means_from_unit_id"), "charters", ["tenant_id", "means_from_unit_id"], unique=False
    )
    op.create_index(op.f("ix_charters_programme_id"), "charters", ["tenant_id", "programme_id"], unique=False)
    op.create_table(
        "engagements",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("expert_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "mode",
            sa.Enum(
                "sounding_board",
                "assignment",
                "long_mission",
                name="engagementmode",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("value_amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("value_currency", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "submitted",
                "approved",
                "onboarding",
                "active",
                "paused",
                "handover",
                "closed",
                "cancelled",
                "terminated",
                name="engagementstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("required_documents", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("edited_by", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("closed_by_lead", sa.Uuid(), nullable=True),
        sa.Column("closed_by_sponsor", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status <> 'closed' or (closed_by_lead is not null and closed_by_sponsor is not null)",
            name=op.f("ck_engagements_closed_by_both"),
        ),
        sa.CheckConstraint("closed_by_lead <> closed_by_sponsor", name=op.f("ck_engagements_two_people_close")),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_engagements_starts_before_it_ends")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_engagements_expert_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "programme_id"],
            ["programmes.tenant_id", "programmes.id"],
            name=op.f("fk_engagements_programme_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_engagements")),
    )
    op.create_index(op.f("ix_engagements_expert_id"), "engagements", ["tenant_id", "expert_id"], unique=False)
    op.create_index(op.f("ix_engagements_programme_id"), "engagements", ["tenant_id", "programme_id"], unique=False)
    op.create_index("ix_engagements_starts_on", "engagements", ["tenant_id", "starts_on", "id"], unique=False)
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
    op.create_table(
        "participations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "programme_id"],
            ["programmes.tenant_id", "programmes.id"],
            name=op.f("fk_participations_programme_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "unit_id"],
            ["business_units.tenant_id", "business_units.id"],
            name=op.f("fk_participations_unit_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_participations")),
        sa.UniqueConstraint("tenant_id", "programme_id", "unit_id", name="uq_participations_unit_id"),
    )
    op.create_index(
        op.f("ix_participations_programme_id"), "participations", ["tenant_id", "programme_id"], unique=False
    )
    op.create_index(op.f("ix_participations_unit_id"), "participations", ["tenant_id", "unit_id"], unique=False)
    op.create_table(
        "sponsor_commitments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "invited",
                "committed",
                "leaving",
                "ended",
                "declined",
                name="commitmentstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("leaves_on", sa.Date(), nullable=True),
        sa.Column("endorsed_version", sa.Integer(), nullable=True),
        sa.Column("counts_from", sa.Date(), nullable=True),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"], ["people.tenant_id", "people.id"], name=op.f("fk_sponsor_commitments_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "programme_id"],
            ["programmes.tenant_id", "programmes.id"],
            name=op.f("fk_sponsor_commitments_programme_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sponsor_commitments")),
    )
    op.create_index(
        op.f("ix_sponsor_commitments_person_id"), "sponsor_commitments", ["tenant_id", "person_id"], unique=False
    )
    op.create_index(
        op.f("ix_sponsor_commitments_programme_id"), "sponsor_commitments", ["tenant_id", "programme_id"], unique=False
    )
    op.create_index(
        "uq_sponsor_commitments_person_id",
        "sponsor_commitments",
        ["tenant_id", "programme_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("status in ('invited', 'committed', 'leaving')"),
    )
    op.create_table(
        "topics",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("required_level", sa.Integer(), nullable=False),
        sa.Column("min_coverage", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "programme_id"],
            ["programmes.tenant_id", "programmes.id"],
            name=op.f("fk_topics_programme_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_topics")),
        sa.UniqueConstraint("tenant_id", "programme_id", "title", name="uq_topics_title"),
    )
    op.create_index(op.f("ix_topics_programme_id"), "topics", ["tenant_id", "programme_id"], unique=False)
    op.create_table(
        "access_grants",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "requested",
                "granted",
                "rejected",
                "revoked",
                name="grantstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("decided_by <> requested_by or status = 'revoked'", name=op.f("ck_access_grants_four_eyes")),
        sa.CheckConstraint(
            "status <> 'granted' or expires_at is not null", name=op.f("ck_access_grants_granted_until_an_instant")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"], ["assets.tenant_id", "assets.id"], name=op.f("fk_access_grants_asset_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_access_grants_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_access_grants")),
    )
    op.create_index(op.f("ix_access_grants_asset_id"), "access_grants", ["tenant_id", "asset_id"], unique=False)
    op.create_index(
        op.f("ix_access_grants_engagement_id"), "access_grants", ["tenant_id", "engagement_id"], unique=False
    )
    op.create_index(
        "uq_access_grants_open",
        "access_grants",
        ["tenant_id", "asset_id", "engagement_id"],
        unique=True,
        postgresql_where=sa.text("status = 'requested'"),
    )
    op.create_table(
        "assessments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("assessed_by", sa.Uuid(), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"], ["people.tenant_id", "people.id"], name=op.f("fk_assessments_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "topic_id"], ["topics.tenant_id", "topics.id"], name=op.f("fk_assessments_topic_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_assessments")),
    )
    op.create_index(op.f("ix_assessments_person_id"), "assessments", ["tenant_id", "person_id"], unique=False)
    op.create_index(
        "ix_assessments_standing", "assessments", ["tenant_id", "topic_id", "person_id", "id"], unique=False
    )
    op.create_index(op.f("ix_assessments_topic_id"), "assessments", ["tenant_id", "topic_id"], unique=False)
    op.create_table(
        "asset_contents",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("id = asset_id", name=op.f("ck_asset_contents_one_per_asset")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"], ["assets.tenant_id", "assets.id"], name=op.f("fk_asset_contents_asset_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_asset_contents")),
    )
    op.create_index(op.f("ix_asset_contents_asset_id"), "asset_contents", ["tenant_id", "asset_id"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "sounding_board",
                "facilitation",
                "knowledge_transfer",
                "strategy",
                "training",
                "delivery",
                name="assignmentkind",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("objectives", sa.Text(), nullable=False),
        sa.Column("in_scope", postgresql.JSONB(), nullable=False),
        sa.Column("out_of_scope", postgresql.JSONB(), nullable=False),
        sa.Column("assumptions", postgresql.JSONB(), nullable=False),
        sa.Column("acceptance_criteria", postgresql.JSONB(), nullable=False),
        sa.Column("effort_days", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("value_amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("value_currency", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "agreed",
                "in_progress",
                "delivered",
                "accepted",
                "returned",
                "cancelled",
                name="assignmentstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("edited_by", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("delivered_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(value_amount is null) = (value_currency is null)", name=op.f("ck_assignments_money_has_a_currency")
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_assignments_starts_before_it_ends")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_assignments_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_engagement_id"), "assignments", ["tenant_id", "engagement_id"], unique=False)
    op.create_index("ix_assignments_starts_on", "assignments", ["tenant_id", "starts_on", "id"], unique=False)
    op.create_table(
        "contracts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("msa", "sow", "nda", name="contractkind", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("expert_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=True),
        sa.Column("governing_law", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("categories", postgresql.JSONB(), nullable=False),
        sa.Column(
            "highest_classification",
            sa.Enum(
                "public",
                "internal",
                "confidential",
                "strictly_confidential",
                name="classification",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=True,
        ),
        sa.Column("survival_months", sa.Integer(), nullable=True),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("value_amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("value_currency", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "in_review",
                "approved",
                "sent",
                "signed",
                "declined",
                "voided",
                "terminated",
                name="contractstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("edited_by", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("document_hash", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terminated_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind <> 'nda' or (expires_on is not null and jsonb_array_length(categories) > 0)",
            name=op.f("ck_contracts_nda_has_bounds"),
        ),
        sa.CheckConstraint(
            "kind = 'msa' or engagement_id is not null", name=op.f("ck_contracts_belongs_to_an_engagement")
        ),
        sa.CheckConstraint(
            "num_nonnulls(purpose, highest_classification, survival_months) = case kind when 'nda' then 3 else 0 end",
            name=op.f("ck_contracts_nda_has_terms"),
        ),
        sa.CheckConstraint(
            "(value_amount is null) = (value_currency is null)", name=op.f("ck_contracts_money_has_a_currency")
        ),
        sa.CheckConstraint(
            "approved_by <> drafted_by and approved_by <> all (edited_by)", name=op.f("ck_contracts_four_eyes")
        ),
        sa.CheckConstraint("effective_on <= expires_on", name=op.f("ck_contracts_begins_before_it_ends")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_contracts_engagement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_contracts_expert_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_contracts")),
        sa.UniqueConstraint("tenant_id", "number", name="uq_contracts_number"),
    )
    op.create_index(op.f("ix_contracts_engagement_id"), "contracts", ["tenant_id", "engagement_id"], unique=False)
    op.create_index(op.f("ix_contracts_expert_id"), "contracts", ["tenant_id", "expert_id"], unique=False)
    op.create_index("ix_contracts_expires_on", "contracts", ["tenant_id", "expires_on", "id"], unique=False)
    op.create_table(
        "dossiers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("business", sa.Text(), nullable=False),
        sa.Column("objectives_addressed", postgresql.JSONB(), nullable=False),
        sa.Column("sources_read", postgresql.JSONB(), nullable=False),
        sa.Column("questions", postgresql.JSONB(), nullable=False),
        sa.Column("first_30_days", sa.Text(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "submitted",
                "accepted",
                "returned",
                name="dossierstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_dossiers_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_dossiers")),
        sa.UniqueConstraint("tenant_id", "engagement_id", name="uq_dossiers_engagement_id"),
    )
    op.create_index(op.f("ix_dossiers_engagement_id"), "dossiers", ["tenant_id", "engagement_id"], unique=False)
    op.create_table(
        "evaluations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column(
            "objectives",
            sa.Enum(
                "met",
                "partially_met",
                "not_met",
                name="judgement",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("knowledge_transferred", sa.Boolean(), nullable=False),
        sa.Column("would_engage_again", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column(
            "side",
            sa.Enum("client", "expert", name="side", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("expert_id", sa.Uuid(), nullable=True),
        sa.Column("evaluated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(expert_id is not null) = (side = 'expert')", name=op.f("ck_evaluations_expert_speaks_for_experts")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_evaluations_engagement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_evaluations_expert_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_evaluations")),
        sa.UniqueConstraint("tenant_id", "engagement_id", "side", name="uq_evaluations_side"),
    )
    op.create_index(op.f("ix_evaluations_engagement_id"), "evaluations", ["tenant_id", "engagement_id"], unique=False)
    op.create_index(op.f("ix_evaluations_expert_id"), "evaluations", ["tenant_id", "expert_id"], unique=False)
    op.create_table(
        "handover_certificates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "submitted",
                "accepted",
                "accepted_with_reservations",
                "rejected",
                name="handovercertificatestatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("lead_accepted_by", sa.Uuid(), nullable=True),
        sa.Column("lead_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sponsor_accepted_by", sa.Uuid(), nullable=True),
        sa.Column("sponsor_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status not in ('accepted', 'accepted_with_reservations') or (lead_accepted_by is not null and sponsor_accepted_by is not null)",
            name=op.f("ck_handover_certificates_accepted_by_both"),
        ),
        sa.CheckConstraint(
            "lead_accepted_by <> sponsor_accepted_by", name=op.f("ck_handover_certificates_two_people_accept")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_handover_certificates_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_handover_certificates")),
        sa.UniqueConstraint("tenant_id", "engagement_id", name="uq_handover_certificates_engagement_id"),
    )
    op.create_index(
        op.f("ix_handover_certificates_engagement_id"),
        "handover_certificates",
        ["tenant_id", "engagement_id"],
        unique=False,
    )
    op.create_table(
        "milestones",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("acceptance_criteria", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "planned",
                "in_progress",
                "submitted",
                "accepted",
                "returned",
                "waived",
                name="milestonestatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("percent between 0 and 100", name=op.f("ck_milestones_percent_is_a_share")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_milestones_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_milestones")),
    )
    op.create_index("ix_milestones_due_on", "milestones", ["tenant_id", "due_on", "id"], unique=False)
    op.create_index(op.f("ix_milestones_engagement_id"), "milestones", ["tenant_id", "engagement_id"], unique=False)
    op.create_table(
        "objectives",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kpi", sa.Text(), nullable=False),
        sa.Column("measured_in", sa.Text(), nullable=False),
        sa.Column("baseline", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("target", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column(
            "direction",
            sa.Enum("increase", "decrease", name="direction", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("data_source", sa.Text(), nullable=False),
        sa.Column("judge_id", sa.Uuid(), nullable=False),
        sa.Column("judged_on", sa.Date(), nullable=False),
        sa.Column("charter_id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum(
                "met",
                "partially_met",
                "not_met",
                name="verdict",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=True,
        ),
        sa.Column("result", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("verdict_note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "case direction when 'increase' then target > baseline else target < baseline end",
            name=op.f("ck_objectives_target_lies_in_the_direction"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charter_id"], ["charters.tenant_id", "charters.id"], name=op.f("fk_objectives_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "judge_id"], ["people.tenant_id", "people.id"], name=op.f("fk_objectives_judge_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "programme_id"],
            ["programmes.tenant_id", "programmes.id"],
            name=op.f("fk_objectives_programme_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_objectives")),
    )
    op.create_index(op.f("ix_objectives_charter_id"), "objectives", ["tenant_id", "charter_id"], unique=False)
    op.create_index(op.f("ix_objectives_judge_id"), "objectives", ["tenant_id", "judge_id"], unique=False)
    op.create_index(op.f("ix_objectives_programme_id"), "objectives", ["tenant_id", "programme_id"], unique=False)
    op.create_table(
        "onboarding_tasks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column(
            "phase",
            sa.Enum(
                "onboarding", "offboarding", name="taskphase", native_enum=False, create_constraint=True, length=None
            ),
            nullable=False,
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "identity",
                "insurance",
                "account",
                "briefing",
                "compliance",
                "return",
                name="taskkind",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("mandatory", sa.Boolean(), nullable=False),
        sa.Column(
            "owner_role",
            sa.Enum(
                "admin",
                "procurement",
                "lead",
                "sponsor",
                "champion",
                "evangelist",
                "member",
                "legal",
                "data_owner",
                "finance",
                "expert",
                "auditor",
                "dashboard",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "submitted",
                "accepted",
                "returned",
                "waived",
                name="taskstatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_onboarding_tasks_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_onboarding_tasks")),
    )
    op.create_index("ix_onboarding_tasks_due_on", "onboarding_tasks", ["tenant_id", "due_on", "id"], unique=False)
    op.create_index(
        op.f("ix_onboarding_tasks_engagement_id"), "onboarding_tasks", ["tenant_id", "engagement_id"], unique=False
    )
    op.create_table(
        "return_certificates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "returned",
                "destroyed",
                "returned_and_destroyed",
                name="returnmethod",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("items", postgresql.JSONB(), nullable=False),
        sa.Column("carve_outs", sa.Text(), nullable=True),
        sa.Column("filed_by", sa.Uuid(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_return_certificates_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_return_certificates")),
    )
    op.create_index(
        op.f("ix_return_certificates_engagement_id"),
        "return_certificates",
        ["tenant_id", "engagement_id"],
        unique=False,
    )
    op.create_table(
        "contract_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("msa", "sow", "nda", name="contractkind", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("expert_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=True),
        sa.Column("governing_law", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("categories", postgresql.JSONB(), nullable=False),
        sa.Column(
            "highest_classification",
            sa.Enum(
                "public",
                "internal",
                "confidential",
                "strictly_confidential",
                name="classification",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=True,
        ),
        sa.Column("survival_months", sa.Integer(), nullable=True),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("value_amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("value_currency", sa.Text(), nullable=True),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contract_id"],
            ["contracts.tenant_id", "contracts.id"],
            name=op.f("fk_contract_versions_contract_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_contract_versions_engagement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_contract_versions_expert_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_contract_versions")),
        sa.UniqueConstraint("tenant_id", "contract_id", "edition", name="uq_contract_versions_edition"),
    )
    op.create_index(
        op.f("ix_contract_versions_contract_id"), "contract_versions", ["tenant_id", "contract_id"], unique=False
    )
    op.create_index(
        op.f("ix_contract_versions_engagement_id"), "contract_versions", ["tenant_id", "engagement_id"], unique=False
    )
    op.create_index(
        op.f("ix_contract_versions_expert_id"), "contract_versions", ["tenant_id", "expert_id"], unique=False
    )
    op.create_table(
        "deliverables",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assignment_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("acceptance_criteria", sa.Text(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "submitted",
                "accepted",
                "rejected",
                name="deliverablestatus",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
        ),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "assignment_id"],
            ["assignments.tenant_id", "assignments.id"],
            name=op.f("fk_deliverables_assignment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_deliverables_engagement_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_deliverables")),
    )
    op.create_index(op.f("ix_deliverables_assignment_id"), "deliverables", ["tenant_id", "assignment_id"], unique=False)
    op.create_index("ix_deliverables_due_on", "deliverables", ["tenant_id", "due_on", "id"], unique=False)
    op.create_index(op.f("ix_deliverables_engagement_id"), "deliverables", ["tenant_id", "engagement_id"], unique=False)
    op.create_table(
        "handover_reservations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("reserved_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "certificate_id"],
            ["handover_certificates.tenant_id", "handover_certificates.id"],
            name=op.f("fk_handover_reservations_certificate_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"], ["people.tenant_id", "people.id"], name=op.f("fk_handover_reservations_owner_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "topic_id"], ["topics.tenant_id", "topics.id"], name=op.f("fk_handover_reservations_topic_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_handover_reservations")),
    )
    op.create_index(
        op.f("ix_handover_reservations_certificate_id"),
        "handover_reservations",
        ["tenant_id", "certificate_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_handover_reservations_owner_id"), "handover_reservations", ["tenant_id", "owner_id"], unique=False
    )
    op.create_index(
        op.f("ix_handover_reservations_topic_id"), "handover_reservations", ["tenant_id", "topic_id"], unique=False
    )
    op.create_table(
        "milestone_receivers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("milestone_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "milestone_id"],
            ["milestones.tenant_id", "milestones.id"],
            name=op.f("fk_milestone_receivers_milestone_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"], ["people.tenant_id", "people.id"], name=op.f("fk_milestone_receivers_person_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_milestone_receivers")),
        sa.UniqueConstraint("tenant_id", "milestone_id", "person_id", name="uq_milestone_receivers_person_id"),
    )
    op.create_index(
        op.f("ix_milestone_receivers_milestone_id"), "milestone_receivers", ["tenant_id", "milestone_id"], unique=False
    )
    op.create_index(
        op.f("ix_milestone_receivers_person_id"), "milestone_receivers", ["tenant_id", "person_id"], unique=False
    )
    op.create_table(
        "milestone_topics",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("milestone_id", sa.Uuid(), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "milestone_id"],
            ["milestones.tenant_id", "milestones.id"],
            name=op.f("fk_milestone_topics_milestone_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "topic_id"], ["topics.tenant_id", "topics.id"], name=op.f("fk_milestone_topics_topic_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_milestone_topics")),
        sa.UniqueConstraint("tenant_id", "milestone_id", "topic_id", name="uq_milestone_topics_topic_id"),
    )
    op.create_index(
        op.f("ix_milestone_topics_milestone_id"), "milestone_topics", ["tenant_id", "milestone_id"], unique=False
    )
    op.create_index(op.f("ix_milestone_topics_topic_id"), "milestone_topics", ["tenant_id", "topic_id"], unique=False)
    op.create_table(
        "progress_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("hours", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("blockers", sa.Text(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("milestone_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("logged_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "engagement_id"],
            ["engagements.tenant_id", "engagements.id"],
            name=op.f("fk_progress_entries_engagement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "milestone_id"],
            ["milestones.tenant_id", "milestones.id"],
            name=op.f("fk_progress_entries_milestone_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_progress_entries")),
    )
    op.create_index(
        op.f("ix_progress_entries_engagement_id"), "progress_entries", ["tenant_id", "engagement_id"], unique=False
    )
    op.create_index(
        op.f("ix_progress_entries_milestone_id"), "progress_entries", ["tenant_id", "milestone_id"], unique=False
    )
    op.create_table(
        "signatures",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document_hash", sa.Text(), nullable=False),
        sa.Column("consent_text", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column(
            "party",
            sa.Enum("expert", "client", name="party", native_enum=False, create_constraint=True, length=None),
            nullable=False,
        ),
        sa.Column("signing_order", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("expert_id", sa.Uuid(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(person_id, expert_id) = 1 and (expert_id is not null) = (party = 'expert')",
            name=op.f("ck_signatures_signed_in_own_name"),
        ),
        sa.CheckConstraint(
            "signing_order = case party when 'expert' then 1 else 2 end", name=op.f("ck_signatures_expert_signs_first")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contract_id"],
            ["contracts.tenant_id", "contracts.id"],
            name=op.f("fk_signatures_contract_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "expert_id"], ["experts.tenant_id", "experts.id"], name=op.f("fk_signatures_expert_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"], ["people.tenant_id", "people.id"], name=op.f("fk_signatures_person_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_signatures")),
        sa.UniqueConstraint("tenant_id", "contract_id", "edition", "party", name="uq_signatures_party"),
    )
    op.create_index(op.f("ix_signatures_contract_id"), "signatures", ["tenant_id", "contract_id"], unique=False)
    op.create_index(op.f("ix_signatures_expert_id"), "signatures", ["tenant_id", "expert_id"], unique=False)
    op.create_index(op.f("ix_signatures_person_id"), "signatures", ["tenant_id", "person_id"], unique=False)
    _run("door.sql")
    for table, sight in SIGHTS.items():
        _wall(table, sight)
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
    _run("summaries.sql")


def downgrade() -> None:
    op.execute("drop schema app cascade")
    op.drop_table("signatures")
    op.drop_table("progress_entries")
    op.drop_table("milestone_topics")
    op.drop_table("milestone_receivers")
    op.drop_table("handover_reservations")
    op.drop_table("deliverables")
    op.drop_table("contract_versions")
    op.drop_table("return_certificates")
    op.drop_table("onboarding_tasks")
    op.drop_table("objectives")
    op.drop_table("milestones")
    op.drop_table("handover_certificates")
    op.drop_table("evaluations")
    op.drop_table("dossiers")
    op.drop_table("contracts")
    op.drop_table("assignments")
    op.drop_table("asset_contents")
    op.drop_table("assessments")
    op.drop_table("access_grants")
    op.drop_table("topics")
    op.drop_table("sponsor_commitments")
    op.drop_table("participations")
    op.drop_table("oauth_refresh_tokens")
    op.drop_table("oauth_codes")
    op.drop_table("engagements")
    op.drop_table("charters")
    op.drop_table("assets")
    op.drop_table("programmes")
    op.drop_table("oauth_grants")
    op.drop_table("memberships")
    op.drop_table("vetting_checks")
    op.drop_table("people")
    op.drop_table("one_time_links")
    op.drop_table("oauth_clients")
    op.drop_table("login_sessions")
    op.drop_table("expertise_claims")
    op.drop_table("portfolio_counts")
    op.drop_table("policies")
    op.drop_table("organisations")
    op.drop_table("oauth_keys")
    op.drop_table("login_attempts")
    op.drop_table("idempotent_calls")
    op.drop_table("experts")
    op.drop_table("events")
    op.drop_table("business_units")
    op.drop_table("accounts")
    op.drop_table("access_log")


def _run(name: str) -> None:
    """Run a file of SQL, one statement at a time: the driver prepares each, and takes only one."""
    for statement in (HERE / name).read_text().split(";\n\n"):
        if statement.strip():
            op.execute(sa.text(statement.replace(":", "\\:")))


def _wall(table: str, sight: str | None) -> None:
    """Wall a tenant table in. FORCE binds the owner too; the worker crosses tenants by its own policy."""
    rule = "tenant_id = (select app.tenant_id())"
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy tenant_wall on {table} to tracker_app using ({rule}) with check ({rule})")
    op.execute(f"create policy worker_reach on {table} to tracker_worker using (true) with check (true)")
    if sight is not None:
        test = f"(select app.expert_id()) is null or {sight}"
        op.execute(
            f"create policy expert_sight on {table} as restrictive to tracker_app using ({test}) with check ({test})"
        )
