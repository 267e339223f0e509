"""The demo's data: thirty engagements besides the story, in every state, over eighteen months that end today."""

import uuid
from collections import Counter

from fastapi import FastAPI

from api.demo.cast import found
from api.demo.portfolio import SPAN, fill
from models.base import now
from models.engagements import EngagementStatus


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
    await house.close()
