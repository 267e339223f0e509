"""The demo's data: thirty engagements besides the story, in every state, over eighteen months that end today."""

import uuid
from collections import Counter

from fastapi import FastAPI

from api.app import operations
from api.demo.cast import House, found
from api.demo.portfolio import SPAN, fill
from models.base import now
from models.engagements import EngagementStatus
from tests.shapes import assert_as_serialised


async def test_the_demo_has_something_to_show_in_every_state(app: FastAPI) -> None:
    months: list[str] = []
    house = await found(app, f"demo-{uuid.uuid4().hex[:8]}", "North Ferries", behind=SPAN)
    await fill(house, months.append)
    auditor = house["Axel"]
    engagements = (await auditor.get("/engagements", limit=200))["data"]
    states = Counter(engagement["status"] for engagement in engagements)
    assert len(engagements) == 31
    assert states.keys() == set(EngagementStatus)
    assert len(months) >= 18
    assert house.today == now().date()
    portfolio = await auditor.get("/reports/portfolio")
    assert portfolio["engagements"] == {status: states[status] for status in EngagementStatus}
    standings = {p["title"]: p["status"] for p in (await auditor.get("/programmes"))["data"]}
    assert standings == {
        "Customer voice 2025": "active",
        "Every channel 2026": "at_risk",
        "Social listening 2027": "active",
    }
    assert (await auditor.get("/reports/handover-progress", status="active"))["data"]
    await every_list_is_written_as_its_shape_says(house)
    await house.close()


async def every_list_is_written_as_its_shape_says(house: House) -> None:
    """Of every resource, as the auditor sees it: the bytes that PostgreSQL wrote are what the shape would have said."""
    bare = []
    for route in operations():
        if "GET" not in route.methods or "{" in route.path or not route.name.startswith("list_"):
            continue
        kind = getattr(route.response_model, "__pydantic_generic_metadata__", {}).get("args")
        if not kind:
            continue
        if (await house["Axel"].get(route.path, limit=1))["data"]:
            await assert_as_serialised(house["Axel"].client, f"{route.path}?limit=100", kind[0])
        else:
            bare.append(route.path)
    assert bare == ["/access-log", "/handover-reservations"]
