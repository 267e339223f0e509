"""Contracts: frozen when sent, signed by the expert first and the client second, in force by their dates."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import StringConstraints as Chars
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ColumnElement,
    Date,
    Index,
    Select,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    cast,
    func,
    or_,
    select,
)
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, amount, choice, currency, document, link, plain
from models.engagements import Engagement
from models.errors import Conflict, Invalid, Unmet
from models.lifecycle import Lifecycle
from models.queries import Rows, among, between, gathered, mentioning
from models.tenancy import Sight, sql_today, through
from models.types import Classification, Code, Day, Title
from models.types import Text as Prose


class ContractKind(StrEnum):
    MSA = "msa"
    SOW = "sow"
    NDA = "nda"


class ContractStatus(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    SENT = "sent"
    SIGNED = "signed"
    DECLINED = "declined"
    VOIDED = "voided"
    TERMINATED = "terminated"


class Party(StrEnum):
    """Who signs, in the order of signing."""

    EXPERT = "expert"
    CLIENT = "client"


@dataclass(frozen=True)
class ContractFacts:
    """Who acts, as an account and as a person or expert, and which parties have signed the document that was sent."""

    account_id: UUID
    person_id: UUID | None
    expert_id: UUID | None
    signed: list[str]

    @property
    def party(self) -> Party | None:
        """For whom the caller may sign; a machine signs for nobody."""
        if self.expert_id is not None:
            return Party.EXPERT
        return Party.CLIENT if self.person_id is not None else None


def _four_eyes(contract: "Contract", facts: ContractFacts) -> Iterator[Unmet]:
    if facts.account_id in (contract.drafted_by, *contract.edited_by, contract.submitted_by):
        yield Unmet("four-eyes", "someone who neither drafted, edited nor submitted it", "who did")


def _signatory(contract: "Contract", facts: ContractFacts) -> Iterator[Unmet]:
    if facts.party is None:
        yield Unmet("signatory", "a person, in their own name", "a machine client")
    yield from _four_eyes(contract, facts)
    if facts.party in facts.signed:
        yield Unmet("unsigned", "a party that has not signed yet", f"the {facts.party} has signed")


def _next_to_sign(contract: "Contract", facts: ContractFacts) -> Iterator[Unmet]:
    yield from _signatory(contract, facts)
    if facts.party is Party.CLIENT and Party.EXPERT not in facts.signed:
        yield Unmet("signing-order", list(Party), facts.signed, [f"/signatures?contract_id={contract.id}"])


S = ContractStatus
CONTRACT = Lifecycle(
    ContractStatus,
    {
        "submit": ({S.DRAFT}, S.IN_REVIEW),
        "approve": ({S.IN_REVIEW}, S.APPROVED, _four_eyes),
        "send": ({S.APPROVED}, S.SENT),
        # The status follows once both parties have signed.
        "sign": ({S.SENT}, None, _next_to_sign),
        "decline": ({S.SENT}, S.DECLINED, _signatory),
        "revise": ({S.IN_REVIEW, S.APPROVED, S.SENT, S.DECLINED}, S.DRAFT),
        "void": ({S.DRAFT, S.IN_REVIEW, S.APPROVED, S.SENT, S.DECLINED}, S.VOIDED),
        "terminate": ({S.SIGNED}, S.TERMINATED),
    },
)

# The journal tells that these changed, not to what: wording lies in editions, and where a signer sat is nobody's news.
UNTOLD: Any = {"info": {"redacted": True}}
Wording = Annotated[str, Chars(strip_whitespace=True, min_length=1, max_length=200_000)]


class ContractTerms(SQLModel):
    """What can be told of a contract in a list: all but its wording.

    An NDA also says for what, about what, up to which class and how long after its end.
    """

    kind: ContractKind = Field(sa_type=choice(ContractKind))
    number: Code = Field(description="The contract's number in the organisation's own files")
    title: Title
    expert_id: UUID = link("experts")
    engagement_id: UUID | None = link("engagements", optional=True)
    governing_law: Title
    effective_on: Day = Field(description="The first day on which it binds")
    expires_on: Day | None = Field(default=None, description="The last day on which it binds")
    notice_days: int = Field(default=30, ge=0, le=3650, description="Days before expires_on to decide what follows")
    purpose: Title | None = Field(default=None, description="NDA: the one purpose that information may serve")
    categories: list[Code] = document()
    highest_classification: Classification | None = Field(default=None, sa_type=choice(Classification))
    survival_months: int | None = Field(default=None, ge=0, le=600, description="NDA: how long duties outlive it")


class ContractFields(ContractTerms):
    wording: Wording = Field(description="The full text that the parties sign", sa_column_kwargs=UNTOLD)


class Document(ContractFields):
    """The whole of what is signed, money included; a draft and its frozen version are made of the same columns."""

    value_amount: Decimal | None = amount(optional=True)
    value_currency: str | None = currency(optional=True)

    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, over the JSON of every term: keys sorted, no spaces, UTF-8."""
        terms = {name: plain(getattr(self, name)) for name in Document.model_fields}
        text = json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class Contract(Document, Row, table=True):
    """One contract with one expert. Whether it binds is never stored: signatures and dates say so.

    `edition` counts what was sent; `document_hash` is the fingerprint of the edition that lies with the parties.
    """

    __tablename__ = "contracts"
    __table_args__ = (
        UniqueConstraint("tenant_id", "number", name="uq_contracts_number"),
        CheckConstraint("effective_on <= expires_on", name="begins_before_it_ends"),
        CheckConstraint("kind = 'msa' or engagement_id is not null", name="belongs_to_an_engagement"),
        CheckConstraint("(value_amount is null) = (value_currency is null)", name="money_has_a_currency"),
        CheckConstraint(
            "num_nonnulls(purpose, highest_classification, survival_months) = case kind when 'nda' then 3 else 0 end",
            name="nda_has_terms",
        ),
        CheckConstraint(
            "kind <> 'nda' or (expires_on is not null and jsonb_array_length(categories) > 0)", name="nda_has_bounds"
        ),
        CheckConstraint("approved_by <> drafted_by and approved_by <> all (edited_by)", name="four_eyes"),
        Index("ix_contracts_expires_on", "tenant_id", "expires_on", "id"),
    )
    # An expert sees what was sent to them, never what the client is still drafting.
    expert_sight: ClassVar[Sight] = Sight(
        "({table}.expert_id = (select app.expert_id()) and {table}.sent_at is not null)"
    )

    status: ContractStatus = Field(default=ContractStatus.DRAFT, sa_type=choice(ContractStatus))
    drafted_by: UUID
    edited_by: list[UUID] = Field(default_factory=list, sa_type=ARRAY(Uuid))
    submitted_by: UUID | None = None
    approved_by: UUID | None = None
    edition: int = 0
    document_hash: str | None = None
    sent_at: datetime | None = Field(default=None, sa_type=INSTANT)
    signed_at: datetime | None = Field(default=None, sa_type=INSTANT)
    terminated_on: date | None = None
    reason: str | None = None

    def edit(self, by: UUID) -> None:
        """Note who is about to change the draft: they cannot approve or sign it either."""
        if self.status is not S.DRAFT:
            detail = f"This contract is {self.status}: only a draft can be changed; revise it to make it one again."
            raise Conflict("not-a-draft", detail)
        if by not in (self.drafted_by, *self.edited_by):
            self.edited_by = [*self.edited_by, by]

    def require_sound(self, engagement: Engagement | None) -> None:
        """Raise Invalid with every term that is missing, misplaced or contradicts another."""
        if errors := [
            {"pointer": f"/{field}", "code": code, "detail": why} for field, code, why in self._flaws(engagement)
        ]:
            raise Invalid("unsound-terms", "The terms of the contract do not fit together: see errors.", errors=errors)

    def _flaws(self, engagement: Engagement | None) -> Iterator[tuple[str, str, str]]:
        if self.kind is not ContractKind.MSA and self.engagement_id is None:
            yield "engagement_id", "missing", f"A contract of kind {self.kind} belongs to an engagement: name it."
        if engagement is not None and engagement.expert_id != self.expert_id:
            yield "expert_id", "another-expert", f"The engagement is with the expert {engagement.expert_id}."
        if self.expires_on is not None and self.expires_on < self.effective_on:
            yield "expires_on", "ends-before-it-begins", f"It must be {self.effective_on} (effective_on) or later."
        is_nda = self.kind is ContractKind.NDA
        for name in ("purpose", "categories", "highest_classification", "survival_months"):
            given = getattr(self, name) not in (None, [])
            if given != is_nda:
                yield name, "missing" if is_nda else "only-of-an-nda", "An NDA says it, and no other contract does."
        if is_nda and self.expires_on is None:
            yield "expires_on", "missing", "An NDA has a last day: access to information ends with it."

    def submit(self, by: UUID) -> None:
        CONTRACT.move("submit", self)
        self.submitted_by = by

    def approve(self, facts: ContractFacts) -> None:
        CONTRACT.move("approve", self, facts)
        self.approved_by = facts.account_id

    def send(self, at: datetime) -> "ContractVersion":
        """Freeze the wording as the next edition, which is what the parties sign."""
        CONTRACT.move("send", self)
        self.edition, self.sent_at, self.document_hash = self.edition + 1, at, self.fingerprint()
        terms = {name: getattr(self, name) for name in Document.model_fields}
        return ContractVersion(**terms, contract_id=self.id, edition=self.edition, content_hash=self.document_hash)

    def sign(self, facts: ContractFacts, consent: "Consent", at: datetime) -> "Signature":
        """The caller's own signature under the document they saw; the second one binds both.

        Raises Conflict when it is not the caller's turn, or the document is not the one they saw.
        """
        CONTRACT.require("sign", self, facts)
        assert facts.party is not None
        if consent.document_hash != self.document_hash:
            detail = "This is not the document that was sent last: read the contract again before you sign."
            raise Conflict("another-document", detail)
        if {*facts.signed, facts.party} == set(Party):
            self.status, self.signed_at = S.SIGNED, at
        return Signature(
            contract_id=self.id,
            edition=self.edition,
            party=facts.party,
            signing_order=len(facts.signed) + 1,
            person_id=facts.person_id,
            expert_id=facts.expert_id,
            signed_at=at,
            **consent.model_dump(),
        )

    def decline(self, facts: ContractFacts, reason: str) -> None:
        CONTRACT.move("decline", self, facts)
        self.reason = reason

    def revise(self) -> None:
        """Make it a draft again. What was sent is void, with any signature under it, and out of the expert's sight."""
        CONTRACT.move("revise", self)
        self.approved_by = self.sent_at = self.document_hash = self.reason = None

    def void(self, reason: str) -> None:
        CONTRACT.move("void", self)
        self.reason = reason

    def terminate(self, reason: str, today: date) -> None:
        """End it before its time: from today on it binds nobody."""
        CONTRACT.move("terminate", self)
        self.reason, self.terminated_on = reason, today


class ContractVersion(Document, Row, table=True):
    """What was sent, word for word. The application may add rows here, never change or delete one."""

    __tablename__ = "contract_versions"
    __table_args__ = (UniqueConstraint("tenant_id", "contract_id", "edition", name="uq_contract_versions_edition"),)
    expert_sight: ClassVar[Sight] = through("contracts", "contract_id")

    contract_id: UUID = link("contracts")
    edition: int
    content_hash: str


class Consent(SQLModel):
    """To what the signer says yes, in which words, and from where."""

    document_hash: str
    consent_text: Prose
    ip: str | None = Field(default=None, sa_column_kwargs=UNTOLD)
    user_agent: str | None = Field(default=None, max_length=500, sa_column_kwargs=UNTOLD)


class Signature(Consent, Row, table=True):
    """A party's signature under one edition. The application may add rows here, never change or delete one."""

    __tablename__ = "signatures"
    __table_args__ = (
        UniqueConstraint("tenant_id", "contract_id", "edition", "party", name="uq_signatures_party"),
        CheckConstraint(
            "num_nonnulls(person_id, expert_id) = 1 and (expert_id is not null) = (party = 'expert')",
            name="signed_in_own_name",
        ),
        CheckConstraint("signing_order = case party when 'expert' then 1 else 2 end", name="expert_signs_first"),
    )
    expert_sight: ClassVar[Sight] = through("contracts", "contract_id")

    contract_id: UUID = link("contracts")
    edition: int
    party: Party = Field(sa_type=choice(Party))
    signing_order: int
    person_id: UUID | None = link("people", optional=True)
    expert_id: UUID | None = link("experts", optional=True)
    signed_at: datetime = Field(sa_type=INSTANT)


def contract(by: Any) -> Rows:
    return _contracts().where(col(Contract.id) == by.id)


def contracts(by: Any) -> Rows:
    query = among(_contracts(), by, Contract.kind, Contract.status, Contract.expert_id, Contract.engagement_id)
    if by.in_force_on is not None:
        query = query.where(in_force(by.in_force_on))
    if by.expires_within is not None:
        query = query.where(in_force(sql_today()), col(Contract.expires_on) <= sql_today() + by.expires_within)
    query = between(between(query, by, Contract.effective_on), by, Contract.expires_on)
    return mentioning(query, by, Contract.number, Contract.title)


def in_force(on: Any) -> ColumnElement[bool]:
    """Whether a contract binds both parties on a local day; its first and last day included."""
    return and_(
        col(Contract.signed_at).is_not(None),
        col(Contract.effective_on) <= on,
        or_(col(Contract.expires_on).is_(None), col(Contract.expires_on) >= on),
        or_(col(Contract.terminated_on).is_(None), col(Contract.terminated_on) > on),
    )


def _contracts() -> Rows:
    over = col(Contract.signed_at).is_not(None) & (col(Contract.expires_on) < sql_today())
    deadline = cast(col(Contract.expires_on) - col(Contract.notice_days), Date)
    return select(
        *Contract.__table__.columns,  # type: ignore[attr-defined]
        in_force(sql_today()).label("in_force"),
        func.coalesce(over, False).label("expired"),
        deadline.label("notice_deadline"),
    )


def contract_version(by: Any) -> Rows:
    return select(ContractVersion).where(col(ContractVersion.id) == by.id)


def contract_versions(by: Any) -> Rows:
    return among(select(ContractVersion), by, ContractVersion.contract_id)


def signature(by: Any) -> Rows:
    return select(Signature).where(col(Signature.id) == by.id)


def signatures(by: Any) -> Rows:
    return among(select(Signature), by, Signature.contract_id, Signature.party)


def signed_parties(contract_id: UUID, edition: int) -> Select[list[str]]:
    """The parties whose signature stands under this edition."""
    party = cast(col(Signature.party), Text)
    return select(gathered(party, Text(), party)).where(
        col(Signature.contract_id) == contract_id, col(Signature.edition) == edition
    )


def documents_in_force(engagement_id: UUID, today: date) -> Select[list[str]]:
    """The kinds of contract that bind in an engagement today; an MSA with its expert counts in all of their own."""
    expert = select(col(Engagement.expert_id)).where(col(Engagement.id) == engagement_id).scalar_subquery()
    here = or_(col(Contract.engagement_id) == engagement_id, col(Contract.kind) == ContractKind.MSA)
    kind = cast(col(Contract.kind), Text)
    theirs = select(gathered(kind.distinct(), Text(), kind)).where(col(Contract.expert_id) == expert)
    return theirs.where(here, in_force(today))
