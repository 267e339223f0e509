"""/v1/handover-certificates: lead and sponsor attest that the expert is no longer needed."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.schema import Filter, In, Out, Page, Patch, Reason, Transitions, unset
from api.tx import Tx, Writes
from models.engagements import Engagement, engagement_status, programme_of
from models.errors import Conflict, Missing, Stale
from models.knowledge_transfer.handover import (
    HANDOVER_CERTIFICATE,
    HandoverCertificate,
    HandoverCertificateFields,
    HandoverCertificateStatus,
    HandoverFacts,
    handover_certificate,
    handover_certificates,
)
from models.knowledge_transfer.milestones import (
    unsettled_milestones,
)
from models.knowledge_transfer.topics import uncovered_topics
from models.programmes import leads, sponsors
from models.types import Instant, Text

router = APIRouter(tags=["knowledge_transfer"])


class HandoverCertificateIn(HandoverCertificateFields, In): ...


class HandoverCertificatePatch(Patch):
    summary: Text = unset()


class HandoverCertificateOut(HandoverCertificateFields, Out):
    status: HandoverCertificateStatus
    submitted_by: UUID | None
    lead_accepted_by: UUID | None
    lead_accepted_at: Instant | None
    sponsor_accepted_by: UUID | None
    sponsor_accepted_at: Instant | None
    reason: str | None = Field(description="Why it was rejected")


class HandoverCertificateFilter(Filter):
    engagement_id: list[UUID] | None = None
    status: list[HandoverCertificateStatus] | None = None


async def handover_facts(tx: Tx, row: HandoverCertificate) -> HandoverFacts:
    programme = programme_of(row.engagement_id)
    return await tx.facts(
        partial(HandoverFacts, account_id=tx.actor.account_id, expert_id=tx.actor.expert_id),
        is_lead=leads(programme, tx.actor.person_id),
        is_sponsor=sponsors(programme, tx.actor.person_id, tx.today),
        engagement_status=engagement_status(row.engagement_id),
        uncovered_topics=uncovered_topics(programme, tx.today),
        unsettled_milestones=unsettled_milestones(row.engagement_id),
    )


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
    await tx.get(Engagement, body.engagement_id)
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
    """Submit the certificate, as the expert."""
    row = await tx.lock(HandoverCertificate, certificate_id)
    row.submit(await handover_facts(tx, row))
    return await tx.show(handover_certificate, HandoverCertificateOut, row)


@router.post(
    "/handover-certificates/{certificate_id}/accept",
    response_model=HandoverCertificateOut,
    responses=can_refuse(Missing, Conflict),
)
async def accept_handover_certificate(tx: Writes, certificate_id: UUID) -> Response:
    """Accept as the programme's lead or as a sponsor; it takes both.

    Refused, naming the topic, while a critical topic is below coverage.
    """
    row = await tx.lock(HandoverCertificate, certificate_id)
    row.accept(await handover_facts(tx, row), tx.now)
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
