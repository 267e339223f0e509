"""/v1/handover-certificates, /v1/handover-reservations: lead and sponsor attest that the expert is no longer needed."""

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, Reason, Transitions, unset
from api.tx import Tx, Writes
from models.engagements import ENDED, Engagement, engagement_status, programme_of
from models.errors import Conflict, Invalid, Missing, Stale
from models.knowledge_transfer.handover import (
    HANDOVER_CERTIFICATE,
    HandoverCertificate,
    HandoverCertificateFields,
    HandoverCertificateStatus,
    HandoverFacts,
    HandoverReservation,
    HandoverReservationFields,
    ReservationFacts,
    critical_topics,
    handover_certificate,
    handover_certificates,
    handover_reservation,
    handover_reservations,
    has_acted,
    owners_here,
    require_reservable,
    reservable_topics,
    reservation_count,
    reservations_of,
)
from models.knowledge_transfer.milestones import unsettled_milestones
from models.knowledge_transfer.topics import uncovered_topics
from models.programmes import leads, sponsors
from models.types import Day, Instant, Text

router = Area(tags=["knowledge_transfer"])


class HandoverCertificateIn(HandoverCertificateFields, In): ...


class HandoverCertificatePatch(Patch):
    summary: Text = unset()


class HandoverCertificateOut(HandoverCertificateFields, Out):
    status: HandoverCertificateStatus
    submitted_by: UUID | None = Field(description="The expert's account that submitted it last")
    lead_accepted_by: UUID | None = Field(description="The lead's account, once the lead accepted it")
    lead_accepted_at: Instant | None
    sponsor_accepted_by: UUID | None = Field(description="The sponsor's account, once a sponsor accepted it")
    sponsor_accepted_at: Instant | None
    reason: str | None = Field(description="Why it was rejected")


class HandoverCertificateFilter(Filter):
    engagement_id: list[UUID] | None = None
    status: list[HandoverCertificateStatus] | None = None


class HandoverReservationIn(HandoverReservationFields, In): ...


class HandoverAcceptance(In):
    reservations: Annotated[
        list[HandoverReservationIn],
        Field(max_length=50, description="What stays to be done about topics that are not critical"),
    ] = []


class HandoverReservationOut(HandoverReservationFields, Out):
    certificate_id: UUID
    reserved_by: UUID = Field(description="The account that accepted with this reservation")


class HandoverReservationFilter(Filter):
    certificate_id: list[UUID] | None = None
    topic_id: list[UUID] | None = None
    owner_id: list[UUID] | None = None
    due_on_from: Day | None = None
    due_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "due_on", "-due_on"] = "-created_at"


async def handover_facts(tx: Tx, row: HandoverCertificate) -> HandoverFacts:
    programme = programme_of(row.engagement_id)
    return await tx.facts(
        partial(HandoverFacts, account_id=tx.actor.account_id, expert_id=tx.actor.expert_id),
        is_lead=leads(programme, tx.actor.person_id),
        is_sponsor=sponsors(programme, tx.actor.person_id, tx.today),
        engagement_status=engagement_status(row.engagement_id),
        uncovered_topics=uncovered_topics(programme, tx.today),
        unsettled_milestones=unsettled_milestones(row.engagement_id),
        has_acted=has_acted(row, tx.actor.person_id),
        reservations=reservation_count(row.id),
    )


async def reserve(tx: Tx, row: HandoverCertificate, given: list[HandoverReservationIn]) -> None:
    """Write the reservations down, or refuse them."""
    topics, owners = [r.topic_id for r in given], [r.owner_id for r in given]
    facts = await tx.facts(
        partial(ReservationFacts, today=tx.today),
        topics=reservable_topics(programme_of(row.engagement_id), topics),
        critical_topics=critical_topics(topics),
        owners=owners_here(owners, tx.today),
    )
    require_reservable(list(given), facts)
    for each in given:
        await tx.add(HandoverReservation(**each.columns(), certificate_id=row.id, reserved_by=tx.actor.account_id))


@router.get("/handover-certificates", response_model=Page[HandoverCertificateOut])
async def list_handover_certificates(read: Reads, by: Annotated[HandoverCertificateFilter, Query()]) -> Response:
    """List handover certificates."""
    return await read.page(handover_certificates, HandoverCertificateOut, by)


@router.post(
    "/handover-certificates",
    status_code=201,
    response_model=HandoverCertificateOut,
    responses=can_refuse(Missing, Conflict),
)
async def create_handover_certificate(tx: Writes, body: HandoverCertificateIn) -> Response:
    """Draft the handover certificate of an engagement; there is one per engagement."""
    parent = await tx.get(Engagement, body.engagement_id)
    parent.require_not(*ENDED)
    row = await tx.add(HandoverCertificate(**body.columns()))
    return await tx.show(handover_certificate, HandoverCertificateOut, row, 201)


@router.get(
    "/handover-certificates/{certificate_id}", response_model=HandoverCertificateOut, responses=can_refuse(Missing)
)
async def get_handover_certificate(read: Reads, certificate_id: UUID) -> Response:
    """Read a handover certificate."""
    return await read.one(handover_certificate, HandoverCertificateOut, id=certificate_id)


@router.patch(
    "/handover-certificates/{certificate_id}",
    response_model=HandoverCertificateOut,
    responses=can_refuse(Missing, Conflict, Stale),
)
async def update_handover_certificate(tx: Writes, certificate_id: UUID, body: HandoverCertificatePatch) -> Response:
    """Change a certificate that is a draft or was rejected."""
    row = await tx.lock(HandoverCertificate, certificate_id)
    row.require_editable()
    tx.change(row, body)
    return await tx.show(handover_certificate, HandoverCertificateOut, row)


@router.get(
    "/handover-certificates/{certificate_id}/transitions", response_model=Transitions, responses=can_refuse(Missing)
)
async def get_handover_certificate_transitions(tx: Writes, certificate_id: UUID) -> Response:
    """Read what may be done with a certificate now, and what stands in the way of the rest."""
    row = await tx.get(HandoverCertificate, certificate_id)
    return tx.transitions(HANDOVER_CERTIFICATE, row, await handover_facts(tx, row))


@router.post(
    "/handover-certificates/{certificate_id}/submit",
    response_model=HandoverCertificateOut,
    responses=can_refuse(Missing, Conflict),
)
async def submit_handover_certificate(tx: Writes, certificate_id: UUID) -> Response:
    """Submit the certificate, as the expert; what was accepted or reserved before is void."""
    row = await tx.lock(HandoverCertificate, certificate_id)
    row.submit(await handover_facts(tx, row))
    for each in await tx.all(reservations_of(row.id)):
        await tx.remove(each)
    return await tx.show(handover_certificate, HandoverCertificateOut, row)


@router.post(
    "/handover-certificates/{certificate_id}/accept",
    response_model=HandoverCertificateOut,
    responses=can_refuse(Missing, Conflict, Invalid),
)
async def accept_handover_certificate(
    tx: Writes, certificate_id: UUID, body: HandoverAcceptance | None = None
) -> Response:
    """Accept as the programme's lead or as a sponsor, perhaps with reservations; it takes both.

    Refused, naming the topic, while a critical topic is below coverage, and while required milestones are open.
    """
    row = await tx.lock(HandoverCertificate, certificate_id)
    reservations = body.reservations if body else []
    row.accept(await handover_facts(tx, row), tx.now, len(reservations))
    await reserve(tx, row, reservations)
    return await tx.show(handover_certificate, HandoverCertificateOut, row)


@router.post(
    "/handover-certificates/{certificate_id}/reject",
    response_model=HandoverCertificateOut,
    responses=can_refuse(Missing, Conflict),
)
async def reject_handover_certificate(tx: Writes, certificate_id: UUID, body: Reason) -> Response:
    """Reject a submitted certificate, with the reason; the expert may then change and submit it again."""
    row = await tx.lock(HandoverCertificate, certificate_id)
    row.reject(await handover_facts(tx, row), body.reason)
    return await tx.show(handover_certificate, HandoverCertificateOut, row)


@router.get("/handover-reservations", response_model=Page[HandoverReservationOut])
async def list_handover_reservations(read: Reads, by: Annotated[HandoverReservationFilter, Query()]) -> Response:
    """List what was reserved when handovers were accepted."""
    return await read.page(handover_reservations, HandoverReservationOut, by)


@router.get(
    "/handover-reservations/{reservation_id}", response_model=HandoverReservationOut, responses=can_refuse(Missing)
)
async def get_handover_reservation(read: Reads, reservation_id: UUID) -> Response:
    """Read a reservation."""
    return await read.one(handover_reservation, HandoverReservationOut, id=reservation_id)
