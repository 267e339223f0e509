"""/v1/events and /v1/{collection}/{id}/events: the journal, read."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from sqlmodel import SQLModel
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.schema import Filter, Page
from models.errors import Missing
from models.journal import events, histories, subject_events
from models.types import Instant, InstantIn

router = APIRouter(tags=["events"])


class EventOut(SQLModel):
    id: UUID
    type: str = Field(description="<object>.<state reached, created or changed>", examples=["engagement.approved"])
    collection: str
    subject_id: UUID
    subject_version: int
    actor_id: UUID = Field(description="The account that acted")
    on_behalf_of: UUID | None
    client_id: str
    request_id: str | None
    changes: dict[str, Any] = Field(description="Each changed field with [old, new]; secrets and money are left out")
    at: Instant = Field(description="The organisation's time")
    recorded_at: Instant = Field(description="The wall clock")


class SubjectEventFilter(Filter):
    type: list[str] | None = None
    at_from: InstantIn | None = None
    at_before: InstantIn | None = None


class EventFilter(SubjectEventFilter):
    collection: list[str] | None = None
    subject_id: list[UUID] | None = None
    actor_id: list[UUID] | None = None


@router.get("/events", response_model=Page[EventOut])
async def list_events(read: Reads, by: Annotated[EventFilter, Query()]) -> Response:
    """List everything that happened in the organisation, newest first."""
    return await read.page(events, EventOut, by)


@router.get("/{collection}/{subject_id}/events", response_model=Page[EventOut], responses=can_refuse(Missing))
async def list_subject_events(
    read: Reads, collection: str, subject_id: UUID, by: Annotated[SubjectEventFilter, Query()]
) -> Response:
    """List the history of one object: who changed what, when. It takes the scope and the role to read the object."""
    if collection not in histories():
        raise Missing("not-found", f"There is no collection {collection} here.")
    read.under(histories()[collection])
    return await read.page(subject_events, EventOut, by, collection=collection, subject_id=subject_id)
