"""Organisations: the tenant itself, its units, people, memberships and the numbers its rules go by."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import ARRAY, CheckConstraint, Interval, Select, Text, UniqueConstraint, Uuid, func
from sqlalchemy import select as sa_select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from models.base import Row, link
from models.errors import Conflict, Forbidden, Invalid
from models.queries import Rows, among, between, mentioning
from models.tenancy import EVERYTHING, NOTHING, Sight, sql_now, sql_today
from models.types import Country, Currency, Day, Email, Slug, Title


class Locale(StrEnum):
    EN = "en"
    NL = "nl"
    FR = "fr"


class OrganisationFields(SQLModel):
    """What an organisation says about itself."""

    name: Title
    country: Country
    time_zone: str = Field(max_length=64, description="IANA time zone, for example Europe/Amsterdam")
    currency: Currency
    locale: str = Field(default=Locale.EN, max_length=2)


class Organisation(OrganisationFields, Row, table=True):
    """The tenant. Its id is its tenant_id, so every wall holds for it as for any other row.

    A sandbox keeps its own clock: `clock_offset` is how far it runs ahead of the wall clock.
    """

    __tablename__ = "organisations"
    __table_args__ = (
        UniqueConstraint("slug", name="uq_organisations_slug"),
        CheckConstraint("id = tenant_id", name="is_its_own_tenant"),
        CheckConstraint("sandbox or clock_offset = interval '0'", name="clock_is_a_sandbox_matter"),
    )
    expert_sight: ClassVar[Sight] = EVERYTHING

    slug: Slug
    sandbox: bool = False
    suspended: bool = False
    clock_offset: timedelta = Field(default=timedelta(0), sa_type=Interval)

    def require_sandbox(self) -> None:
        if not self.sandbox:
            raise Forbidden("not-a-sandbox", "Only a sandbox organisation has a clock of its own.")

    def require_known_time_zone(self) -> None:
        if self.time_zone not in available_timezones():
            raise Invalid("unknown-time-zone", f"{self.time_zone} is not an IANA time zone, such as Europe/Amsterdam.")

    def local_date(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.time_zone)).date()

    def advance_clock(self, by: timedelta) -> None:
        """Move the sandbox clock forward. Raises Forbidden outside a sandbox and Conflict for a move into the past."""
        self.require_sandbox()
        if by < timedelta(0):
            raise Conflict("clock-goes-forward", "The sandbox clock only moves forward: give a later instant.")
        self.clock_offset += by


class PolicyFields(SQLModel):
    """The numbers and switches that an organisation's rules go by."""

    min_sponsors: int = Field(default=2, ge=2, le=10, description="Committed sponsors a programme needs")
    sponsors_from_distinct_units: bool = Field(default=True, description="Whether sponsors must be of different units")
    grace_days: int = Field(default=30, ge=0, le=365, description="Days a programme may be at risk before it suspends")
    champion_min_grade: int = Field(default=12, ge=0, le=30, description="Lowest grade a champion may have")
    allow_combined_roles: bool = Field(default=False, description="Whether one person may be both evangelist and lead")
    max_rotation_months: int = Field(default=12, ge=1, le=60, description="Longest team membership, in months")
    vetting_min_claims: int = Field(default=2, ge=1, le=10, description="Verified claims an expert needs")
    vetting_min_clients: int = Field(default=2, ge=1, le=10, description="Distinct clients behind those claims")
    msa_above_days: int = Field(default=90, ge=0, le=3650, description="Engagements longer than this need an MSA")
    msa_above_value: int = Field(default=25_000, ge=0, le=10_000_000, description="… or worth more than this amount")
    assessment_valid_days: int = Field(default=180, ge=1, le=3650, description="Days an assessment counts")
    kt_payment_share: int = Field(default=20, ge=0, le=100, description="Percent of a SOW on handover milestones")


class Policy(PolicyFields, Row, table=True):
    """One row per organisation, with the organisation's id; its version is the version that decisions record."""

    __tablename__ = "policies"
    __table_args__ = (CheckConstraint("id = tenant_id", name="one_per_organisation"),)
    expert_sight: ClassVar[Sight] = EVERYTHING


class BusinessUnitFields(SQLModel):
    name: Title
    parent_id: UUID | None = link("business_units", optional=True)


class BusinessUnit(BusinessUnitFields, Row, table=True):
    __tablename__ = "business_units"
    __table_args__ = (UniqueConstraint("tenant_id", "name", name="uq_business_units_name"),)
    expert_sight: ClassVar[Sight] = EVERYTHING

    def require_acyclic(self, ancestors: Sequence[UUID]) -> None:
        """Raise Invalid when a unit would stand below itself."""
        if self.id in ancestors:
            raise Invalid("unit-cycle", f"{self.name} cannot stand below itself: choose another parent.")


class PersonFields(SQLModel):
    name: Title
    email: Email
    unit_id: UUID = link("business_units")
    job_title: Title
    is_manager: bool = False
    grade: int = Field(default=0, ge=0, le=30)


class Person(PersonFields, Row, table=True):
    """One of the organisation's own people. `leaves_on` is their last day, once announced."""

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("tenant_id", "email", name="uq_people_email"),)
    expert_sight: ClassVar[Sight] = EVERYTHING

    leaves_on: Day | None = None

    def announce_departure(self, leaves_on: date, today: date) -> None:
        if leaves_on < today:
            raise Invalid("departure-in-the-past", f"The last day must be {today} or later.")
        self.leaves_on = leaves_on


class Membership(Row, table=True):
    """What an account may do in this organisation, and which person or expert it is.

    An expert's membership holds the role expert and nothing else: nobody is both sides of an engagement.
    """

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", name="uq_memberships_account_id"),
        CheckConstraint("(expert_id is not null) = (roles = array['expert'])", name="expert_is_only_expert"),
        CheckConstraint("person_id is null or expert_id is null", name="one_side"),
    )
    expert_sight: ClassVar[Sight] = NOTHING

    account_id: UUID
    roles: list[str] = Field(sa_type=ARRAY(Text))
    person_id: UUID | None = link("people", optional=True)
    expert_id: UUID | None = link("experts", optional=True)

    def require_not_own(self, account_id: UUID) -> None:
        if self.account_id == account_id:
            raise Forbidden("own-membership", "Nobody changes their own roles: ask another admin.")


def organisation(_by: Any) -> SelectOfScalar[Organisation]:
    """The organisation that the walls leave visible: the caller's own."""
    return select(Organisation)


def own_policy(_by: Any) -> SelectOfScalar[Policy]:
    return select(Policy)


def clock(_by: Any) -> Rows:
    return select(sql_now().label("now"), sql_today().label("today"), col(Organisation.sandbox))


def business_unit(by: Any) -> SelectOfScalar[BusinessUnit]:
    return select(BusinessUnit).where(BusinessUnit.id == by.id)


def business_units(by: Any) -> SelectOfScalar[BusinessUnit]:
    return mentioning(among(select(BusinessUnit), by, BusinessUnit.parent_id), by, BusinessUnit.name)


def ancestors(unit_id: UUID) -> Select[UUID]:
    """The unit itself and all above it; UNION (not ALL) ends even on a cycle."""
    above = (
        select(col(BusinessUnit.id), col(BusinessUnit.parent_id)).where(BusinessUnit.id == unit_id).cte(recursive=True)
    )
    parent = aliased(BusinessUnit)
    above = above.union(select(col(parent.id), col(parent.parent_id)).join(above, col(parent.id) == above.c.parent_id))
    return sa_select(above.c.id)


def person(by: Any) -> SelectOfScalar[Person]:
    return select(Person).where(Person.id == by.id)


def people(by: Any) -> SelectOfScalar[Person]:
    query = among(select(Person), by, Person.unit_id)
    if by.is_manager is not None:
        query = query.where(Person.is_manager == by.is_manager)
    return mentioning(between(query, by, Person.leaves_on), by, Person.name, Person.email, Person.job_title)


def membership(by: Any) -> SelectOfScalar[Membership]:
    return select(Membership).where(Membership.id == by.id)


def memberships(by: Any) -> SelectOfScalar[Membership]:
    return among(select(Membership), by, Membership.person_id, Membership.expert_id)


def me(by: Any) -> Rows:
    """Who the door let in, and where; `scope` is the token's, as OAuth writes it: words parted by spaces."""
    return sa_select(
        func.app.account_id(type_=Uuid()).label("account_id"),
        func.app.person_id(type_=Uuid()).label("person_id"),
        func.app.expert_id(type_=Uuid()).label("expert_id"),
        func.app.roles(type_=ARRAY(Text)).label("roles"),
        func.string_to_array(by.scope, " ", type_=ARRAY(Text)).label("scopes"),
        col(Organisation.id).label("organisation_id"),
        col(Organisation.slug).label("organisation"),
    )


def my_organisations(_by: Any) -> Rows:
    """The organisations of the caller's account: the one answer that reaches past the tenant, by a definer function."""
    return sa_select(func.app.my_organisations(type_=JSONB).label("data"))


def msa_above_days() -> Select[int]:
    return sa_select(col(Policy.msa_above_days))


def msa_above_value() -> Select[int]:
    return sa_select(col(Policy.msa_above_value))


def home_currency() -> Select[str]:
    return sa_select(col(Organisation.currency))


def min_claims() -> Select[int]:
    return sa_select(col(Policy.vetting_min_claims))


def min_clients() -> Select[int]:
    return sa_select(col(Policy.vetting_min_clients))


def organisations_of(account_id: UUID, only: UUID | None) -> Select[Organisation, list[str]]:
    """Where this account may act, each with its roles there: asked before any tenant is open, to sign in."""
    query = sa_select(Organisation, col(Membership.roles)).join(
        Membership, col(Membership.tenant_id) == Organisation.id
    )
    mine = query.where(col(Membership.account_id) == account_id, col(Organisation.suspended).is_(False))
    return (mine if only is None else mine.where(col(Organisation.id) == only)).order_by(Organisation.name)
