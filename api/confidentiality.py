"""/v1/assets, /v1/access-grants, /v1/access-log, /v1/return-certificates: who may read what, and who tried to."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field
from sqlmodel import SQLModel
from starlette.responses import Response

from api.auth import Caller, authenticate
from api.problems import can_refuse, refusal
from api.read import Reads, require_role, require_scope, rule_of
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, Reason, Transitions, require_single, unset
from api.tx import Tx, Writes, enter, etag
from models.confidentiality import (
    ACCESS_GRANT,
    AccessEntry,
    AccessGrant,
    AccessGrantFields,
    Asset,
    AssetContent,
    AssetFields,
    Decision,
    GrantFacts,
    GrantStatus,
    ReturnCertificate,
    ReturnCertificateFields,
    Way,
    access_grant,
    access_grants,
    access_log,
    asset,
    asset_content,
    assets,
    gate,
    grants_for,
    ground_of,
    local_day,
    ndas_in_force,
    return_certificate,
    return_certificates,
    ways_engagements,
)
from models.engagements import Engagement, EngagementStatus
from models.errors import Conflict, Forbidden, Invalid, Missing, Refusal, Stale
from models.programmes import Programme, champions, leads, programme_standing
from models.types import Classification, Code, Instant, InstantIn, Title

router = Area(tags=["confidentiality"])

Content = Annotated[dict[str, Any], Field(description="The secret itself, figures or prose, as one JSON object")]


class AssetIn(AssetFields, In):
    content: Content


class AssetPatch(Patch):
    title: Title = unset()
    category: Code = unset()
    classification: Classification = unset()
    owner_id: UUID = unset()


class AssetOut(AssetFields, Out):
    owner_id: UUID


class AssetFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in title")] = None
    programme_id: list[UUID] | None = None
    category: list[Code] | None = None
    classification: list[Classification] | None = None
    owner_id: list[UUID] | None = None
    sort: Literal["created_at", "-created_at", "title", "-title"] = "-created_at"


class AssetContentIn(In):
    content: Content


class AssetContentOut(Out):
    """The content of the asset of this id; its version is the content's own."""

    content: Content


class AccessGrantIn(AccessGrantFields, In): ...


class Expiry(In):
    expires_at: InstantIn = Field(description="The first instant without access")


class AccessGrantOut(AccessGrantFields, Out):
    derived: ClassVar = ("active", "expired")

    status: GrantStatus
    requested_by: UUID
    decided_by: UUID | None
    expires_at: Instant | None
    reason: str | None = Field(description="Why it was rejected or revoked")
    active: bool = Field(description="Granted, and not expired yet")
    expired: bool = Field(description="Granted once, and expired since")


class AccessGrantFilter(Filter):
    asset_id: list[UUID] | None = None
    engagement_id: list[UUID] | None = None
    status: list[GrantStatus] | None = None
    active: bool | None = None


class AccessEntryOut(SQLModel):
    """One try to read an asset's content."""

    id: UUID
    asset_id: UUID
    account_id: UUID
    person_id: UUID | None
    expert_id: UUID | None
    client_id: str
    decision: Decision
    code: str | None = Field(description="The code of the refusal")
    rules: list[str] = Field(description="Every rule that was unmet")
    request_id: str | None
    at: Instant = Field(description="The organisation's time")
    recorded_at: Instant = Field(description="The wall clock")


class AccessEntryFilter(Filter):
    asset_id: list[UUID] | None = None
    account_id: list[UUID] | None = None
    expert_id: list[UUID] | None = None
    decision: list[Decision] | None = None
    code: list[Code] | None = None
    at_from: InstantIn | None = None
    at_before: InstantIn | None = None


class ReturnCertificateIn(ReturnCertificateFields, In):
    items: Annotated[list[Title], Field(max_length=200)] = []


class ReturnCertificateOut(ReturnCertificateFields, Out):
    filed_by: UUID
    filed_at: Instant


class ReturnCertificateFilter(Filter):
    engagement_id: list[UUID] | None = None


async def open_attempt(request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> AsyncIterator[Tx]:
    """As `open_tx`, but the route judges scope and role itself, so that it can log and commit that refusal too."""
    require_single(None, request)
    async with request.app.state.sessions() as session, session.begin():
        yield Tx(request, session, await enter(session, caller, request.state.request_id))


Attempt = Annotated[Tx, Depends(open_attempt, scope="function")]


async def opened(tx: Tx, asset_id: UUID) -> AssetContent:
    """The content, for a caller who may read it at this instant; raises the refusal for everybody else."""
    rule, who = rule_of(tx.request), tx.actor
    require_scope(rule, tx.request.state.caller)
    require_role(rule, who.roles)
    found = await tx.get(Asset, asset_id)
    if closed := gate(found, who.person_id, await ways(tx, found), tx.now):
        raise closed
    return await tx.get(AssetContent, asset_id)


async def ways(tx: Tx, found: Asset) -> list[Way]:
    """The engagements by which the caller, if an expert, may reach the asset."""
    if tx.actor.expert_id is None:
        return []
    engagements = await tx.all(ways_engagements(found, tx.actor.expert_id))
    ids = [e.id for e in engagements]
    ndas, grants = await tx.all(ndas_in_force(ids, tx.today)), await tx.all(grants_for(found.id, ids))
    return [
        Way(e, [n for n in ndas if n.engagement_id == e.id], [g for g in grants if g.engagement_id == e.id])
        for e in engagements
    ]


async def facts(tx: Tx, row: AccessGrant, **more: Any) -> GrantFacts:
    who = tx.actor
    found, engagement = await tx.get(Asset, row.asset_id), await tx.get(Engagement, row.engagement_id)
    known = partial(
        GrantFacts,
        account_id=who.account_id,
        person_id=who.person_id,
        asset=found,
        engagement=engagement,
        ndas=await tx.all(ndas_in_force([engagement.id], tx.today)),
    )
    return await tx.facts(
        known,
        programme=programme_standing(found.programme_id, tx.today),
        is_champion=champions(found.programme_id, who.person_id),
        **more,
    )


async def hold_ground(tx: Tx, grant_id: UUID) -> None:
    """Hold all that a grant rests on, so that none of it ends before the grant stands.

    To be called before the grant itself is locked, as an engagement's termination takes both in this order: the other
    way round the two would deadlock.
    """
    ground = await tx.facts(dict[str, UUID | None], **ground_of(grant_id))
    if (engagement_id := ground["engagement_id"]) and (asset_id := ground["asset_id"]):
        engagement = await tx.hold(Engagement, engagement_id)
        await tx.hold(Programme, engagement.programme_id)
        await tx.hold(Asset, asset_id)
        await tx.all(ndas_in_force([engagement_id], tx.today).with_for_update())


@router.get("/assets", response_model=Page[AssetOut])
async def list_assets(read: Reads, by: Annotated[AssetFilter, Query()]) -> Response:
    """List assets, never their content; an expert sees those of the programmes they work for."""
    return await read.page(assets, AssetOut, by)


@router.post("/assets", status_code=201, response_model=AssetOut, responses=can_refuse(Missing, Forbidden, Conflict))
async def create_asset(tx: Writes, body: AssetIn) -> Response:
    """Classify an asset and lay down its content; who does becomes its owner."""
    if tx.actor.person_id is None:
        raise Forbidden("no-person", "An asset has a person as its owner: sign in as one.")
    programme = await tx.get(Programme, body.programme_id)
    programme.require_open()
    values = body.columns()
    content = values.pop("content")
    row = await tx.add(Asset(**values, owner_id=tx.actor.person_id))
    await tx.add(AssetContent(id=row.id, asset_id=row.id, content=content))
    return await tx.show(asset, AssetOut, row, 201)


@router.get("/assets/{asset_id}", response_model=AssetOut, responses=can_refuse(Missing))
async def get_asset(read: Reads, asset_id: UUID) -> Response:
    """Read what is known of an asset without its content."""
    return await read.one(asset, AssetOut, id=asset_id)


@router.patch("/assets/{asset_id}", response_model=AssetOut, responses=can_refuse(Missing, Forbidden, Stale))
async def update_asset(tx: Writes, asset_id: UUID, body: AssetPatch) -> Response:
    """Classify an asset anew or hand it to another owner, as its owner."""
    row = await tx.lock(Asset, asset_id)
    row.require_owner(tx.actor.person_id)
    tx.change(row, body)
    return await tx.show(asset, AssetOut, row)


@router.get("/assets/{asset_id}/content", response_model=AssetContentOut, responses=can_refuse(Missing, Forbidden))
async def get_asset_content(tx: Attempt, asset_id: UUID) -> Response:
    """Read the content of an asset: its owner may, and an expert whom NDA, purpose, grant and engagement all let.

    Refused with 403 and every unmet rule. Each try is logged, allowed or not; a conditional request is a try as well.
    """
    try:
        row = await opened(tx, asset_id)
    except Refusal as why:
        tx.session.add(AccessEntry.of(tx.actor, asset_id, why))
        return refusal(tx.request, why)
    tx.session.add(AccessEntry.of(tx.actor, asset_id, None))
    if tx.request.headers.get("if-none-match") == etag(row):
        return Response(status_code=304, headers={"etag": etag(row)})
    return await tx.show(asset_content, AssetContentOut, row)


@router.put("/assets/{asset_id}/content", response_model=AssetOut, responses=can_refuse(Missing, Forbidden, Stale))
async def replace_asset_content(tx: Writes, asset_id: UUID, body: AssetContentIn) -> Response:
    """Replace the content, as the asset's owner; If-Match takes the content's ETag. Answers the asset."""
    found = await tx.hold(Asset, asset_id)
    found.require_owner(tx.actor.person_id)
    row = await tx.lock(AssetContent, asset_id)
    row.content = body.content
    answer = await tx.show(asset, AssetOut, found)
    answer.headers["etag"] = etag(row)
    return answer


@router.get("/access-grants", response_model=Page[AccessGrantOut])
async def list_access_grants(read: Reads, by: Annotated[AccessGrantFilter, Query()]) -> Response:
    """List requests for access and what became of them."""
    return await read.page(access_grants, AccessGrantOut, by)


@router.post(
    "/access-grants",
    status_code=201,
    response_model=AccessGrantOut,
    responses=can_refuse(Missing, Forbidden, Conflict, Invalid),
)
async def create_access_grant(tx: Writes, body: AccessGrantIn) -> Response:
    """Ask for access to an asset, as the expert or as the programme's lead."""
    wanted, engagement = await tx.get(Asset, body.asset_id), await tx.get(Engagement, body.engagement_id)
    row = AccessGrant(**body.columns(), requested_by=tx.actor.account_id)
    leading = await tx.value(leads(engagement.programme_id, tx.actor.person_id))
    row.require_askable(wanted, engagement, is_party=tx.actor.expert_id is not None or bool(leading))
    await tx.add(row)
    return await tx.show(access_grant, AccessGrantOut, row, 201)


@router.get("/access-grants/{grant_id}", response_model=AccessGrantOut, responses=can_refuse(Missing))
async def get_access_grant(read: Reads, grant_id: UUID) -> Response:
    """Read a request for access."""
    return await read.one(access_grant, AccessGrantOut, id=grant_id)


@router.get("/access-grants/{grant_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_access_grant_transitions(tx: Writes, grant_id: UUID) -> Response:
    """Read what may be done with a request for access now, and what stands in the way of the rest."""
    row = await tx.get(AccessGrant, grant_id)
    return tx.transitions(ACCESS_GRANT, row, await facts(tx, row))


@router.post(
    "/access-grants/{grant_id}/grant",
    response_model=AccessGrantOut,
    responses=can_refuse(Missing, Conflict, Invalid),
)
async def grant_access_grant(tx: Writes, grant_id: UUID, body: Expiry) -> Response:
    """Give access until an instant, as the asset's owner; refused with every rule in the way."""
    await hold_ground(tx, grant_id)
    row = await tx.lock(AccessGrant, grant_id)
    row.grant(await facts(tx, row, last_day=local_day(body.expires_at)), body.expires_at, tx.now)
    return await tx.show(access_grant, AccessGrantOut, row)


@router.post("/access-grants/{grant_id}/reject", response_model=AccessGrantOut, responses=can_refuse(Missing, Conflict))
async def reject_access_grant(tx: Writes, grant_id: UUID, body: Reason) -> Response:
    """Reject a request for access, with the reason, as the asset's owner."""
    row = await tx.lock(AccessGrant, grant_id)
    row.reject(await facts(tx, row), body.reason)
    return await tx.show(access_grant, AccessGrantOut, row)


@router.post("/access-grants/{grant_id}/revoke", response_model=AccessGrantOut, responses=can_refuse(Missing, Conflict))
async def revoke_access_grant(tx: Writes, grant_id: UUID, body: Reason) -> Response:
    """End access at once, with the reason, as the asset's owner or the programme's champion."""
    row = await tx.lock(AccessGrant, grant_id)
    row.take_back(await facts(tx, row), body.reason)
    return await tx.show(access_grant, AccessGrantOut, row)


@router.get("/access-log", response_model=Page[AccessEntryOut])
async def list_access_log(read: Reads, by: Annotated[AccessEntryFilter, Query()]) -> Response:
    """List every try to read content, allowed or denied; an expert sees their own."""
    return await read.page(access_log, AccessEntryOut, by)


@router.get("/return-certificates", response_model=Page[ReturnCertificateOut])
async def list_return_certificates(read: Reads, by: Annotated[ReturnCertificateFilter, Query()]) -> Response:
    """List certificates of return or destruction."""
    return await read.page(return_certificates, ReturnCertificateOut, by)


@router.post(
    "/return-certificates",
    status_code=201,
    response_model=ReturnCertificateOut,
    responses=can_refuse(Missing, Conflict),
)
async def create_return_certificate(tx: Writes, body: ReturnCertificateIn) -> Response:
    """Attest, as the expert, that nothing confidential stays with you: in handover or after a termination."""
    engagement = await tx.hold(Engagement, body.engagement_id)
    engagement.require_status(EngagementStatus.HANDOVER, EngagementStatus.TERMINATED)
    row = await tx.add(ReturnCertificate(**body.columns(), filed_by=tx.actor.account_id, filed_at=tx.now))
    return await tx.show(return_certificate, ReturnCertificateOut, row, 201)


@router.get("/return-certificates/{certificate_id}", response_model=ReturnCertificateOut, responses=can_refuse(Missing))
async def get_return_certificate(read: Reads, certificate_id: UUID) -> Response:
    """Read a certificate."""
    return await read.one(return_certificate, ReturnCertificateOut, id=certificate_id)
