"""Thirty further engagements over eighteen months, in every state, so that lists and reports have something to show."""

import heapq
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, timedelta

from api.demo import steps
from api.demo.cast import House
from api.demo.steps import Thing
from api.demo.story import RECEIVERS, Story

MONTHS = 18
SPAN = timedelta(days=30 * MONTHS + 8)
SKILLS = ["Social listening", "Community management", "Crisis communication", "Service design", "Pricing"]
NAMES = (
    *("Amir Aalbers", "Bo Brandt", "Cleo Claes", "Daan Duval", "Elif Erdem", "Femke Faber", "Gijs Girard"),
    *("Hana Holm", "Ivo Iversen", "Jade Jonker", "Karim Kuipers", "Lotte Lind", "Milan Martens", "Nina Nagel"),
    *("Otto Olsen", "Puck Petit", "Quinn Quist", "Rosa Renard", "Sam Schmidt", "Tess Thomsen", "Umar Urban"),
    *("Vera Vos", "Wout Weber", "Xena Xavier", "Yara Yilmaz", "Zeno Zeeman", "Anouk Bakker", "Bram Colin"),
)
TOPICS = (("Plan the week", True), ("Judge tone and risk", True), ("Keep the archive", False))
MILESTONES = ("Explained", "Done together", "Done alone")


@dataclass(frozen=True)
class Plan:
    """One engagement to come: when it starts (days after the beginning), for how long, and how far it gets."""

    programme: int
    title: str
    mode: str
    starts: int
    days: int
    value: int
    reaches: str


# (programme, start, days, how far): the first programme is nearly over, the second is in full swing.
COURSE = (
    (0, 60, 75, "closed"), (0, 70, 60, "closed"), (0, 95, 80, "closed"), (0, 110, 45, "terminated"),
    (0, 120, 60, "cancelled"), (0, 150, 85, "closed"), (0, 180, 60, "closed"), (0, 200, 90, "closed"),
    (0, 230, 70, "terminated"), (0, 260, 60, "cancelled"), (0, 290, 80, "closed"), (0, 330, 75, "closed"),
    (1, 300, 85, "closed"), (1, 320, 60, "closed"), (1, 360, 80, "terminated"), (1, 380, 90, "closed"),
    (1, 420, 60, "cancelled"), (1, 440, 85, "handover"), (1, 455, 80, "handover"), (1, 470, 60, "handover"),
    (1, 480, 90, "active"), (1, 490, 85, "active"), (1, 500, 80, "active"), (1, 510, 75, "paused"),
    (1, 515, 60, "paused"), (1, 552, 80, "onboarding"), (1, 556, 60, "onboarding"), (1, 570, 90, "approved"),
    (1, 575, 60, "submitted"), (1, 590, 80, "draft"),
)  # fmt: skip
WORK = ("Community rounds", "Tone of voice", "Crisis drill", "Service design sprint", "Price dialogue")


def plans() -> list[Plan]:
    modes = ("assignment", "sounding_board", "assignment", "long_mission")
    return [
        Plan(programme, f"{WORK[n % len(WORK)]} {n + 1}", modes[n % 4], starts, days, 6_000 + 500 * n, reaches)
        for n, (programme, starts, days, reaches) in enumerate(COURSE)
    ]


async def fill(house: House, progress: Callable[[str], None]) -> None:
    """Play eighteen months: the experts, two programmes with thirty engagements, and the story in between."""
    opening = house.today
    experts = [await _expert(house, n, name, opening + SPAN) for n, name in enumerate(NAMES)]
    able = [expert for expert in experts if expert["status"] == "approved"]
    programmes: dict[int, Thing] = {}
    lives = [
        _programme(house, programmes, 0, "Customer voice 2025", opening),
        _programme(house, programmes, 1, "Every channel 2026", opening + timedelta(days=240)),
        _story(house, opening + timedelta(days=330)),
        *(_engagement(house, programmes, able[n % len(able)], plan, opening) for n, plan in enumerate(plans())),
        _shake(house, programmes, opening + SPAN - timedelta(days=12)),
    ]
    await play(house, lives, opening + SPAN, progress)


async def play(house: House, lives: list[AsyncIterator[date]], until: date, progress: Callable[[str], None]) -> None:
    """Let each life go on when the day has come that it waits for; nothing happens after `until`."""
    waiting = [(house.today, n) for n in range(len(lives))]
    month = None
    while waiting:
        day, n = heapq.heappop(waiting)
        if day > until:
            continue
        await house.until(day)
        if house.today.month != month:
            month = house.today.month
            progress(f"{house.name}: {house.today:%B %Y}")
        async for wake in lives[n]:
            heapq.heappush(waiting, (max(wake, house.today), n))
            break
    await house.until(until)


async def _expert(house: House, n: int, name: str, end: date) -> Thing:
    """Most are approved; some have only begun, or are not proven yet."""
    expert = await steps.register_expert(house, n, name, [SKILLS[n % 5], SKILLS[(n + 2) % 5]])
    if n % 6 == 5:
        return expert
    await steps.prove(house, expert, "River Transit", "Complaints answered within a day: 41 % to 88 %")
    if n % 6 == 4:
        return expert
    await steps.prove(house, expert, "City Theatre", "Seats sold through own channels: 12 % to 30 %")
    await steps.vet(house, expert, end + timedelta(days=20 + 13 * n))
    return await house["Petra"].post(f"/experts/{expert['id']}/approve")


async def _programme(house: House, programmes: dict[int, Thing], n: int, title: str, day: date) -> AsyncIterator[date]:
    yield day
    programme, charter = await steps.draft_programme(house, title, means=400_000)
    await steps.sponsor(house, programme)
    await steps.propose(house, programme, charter)
    yield house.today + timedelta(days=5)
    await steps.agree_and_activate(house, programme, charter)
    programmes[n] = {**programme, "topics": await steps.name_topics(house, programme, TOPICS)}


async def _story(house: House, day: date) -> AsyncIterator[date]:
    yield day
    async for _, wake in Story(house).scenes():
        yield wake


async def _shake(house: House, programmes: dict[int, Thing], day: date) -> AsyncIterator[date]:
    """A sponsor of the second programme leaves it: from then on it is at risk."""
    yield day
    held = await house["Lena"].get(
        "/sponsor-commitments", programme_id=programmes[1]["id"], person_id=house.people["Carlos"]
    )
    await house["Carlos"].post(
        f"/sponsor-commitments/{held['data'][0]['id']}/announce-departure",
        leaves_on=str(house.today + timedelta(days=10)),
    )


async def _engagement(
    house: House, programmes: dict[int, Thing], expert: Thing, plan: Plan, opening: date
) -> AsyncIterator[date]:
    """One engagement as far as its plan says."""
    starts = opening + timedelta(days=plan.starts)
    yield starts - timedelta(days=45)
    programme = programmes[plan.programme]
    engagement = await steps.draft_engagement(
        house, programme, expert, plan.title, mode=plan.mode, starts=starts, days=plan.days, value=plan.value
    )
    at = f"/engagements/{engagement['id']}"
    assignment = await steps.scope(house, engagement, "delivery", plan.title, value=plan.value)
    if plan.reaches == "draft":
        return
    await house["Petra"].post(f"{at}/submit")
    if plan.reaches == "submitted":
        return
    yield house.today + timedelta(days=4)
    await house["Marit"].post(f"{at}/approve")
    if plan.reaches == "cancelled":
        await house["Petra"].post(f"{at}/cancel", reason="The team found the time itself.")
    if plan.reaches in ("cancelled", "approved"):
        return
    yield starts - timedelta(days=30)
    engagement = await house["Petra"].post(f"{at}/start-onboarding")
    voice = house.voices.get(expert["name"]) or await house.hire(expert)
    for kind in engagement["required_documents"]:
        await steps.conclude(house, voice, await steps.draft_contract(house, engagement, kind))
    if plan.reaches == "onboarding":
        return
    await steps.settle_tasks(house, voice, engagement)
    await steps.do_homework(house, voice, engagement)
    yield starts
    await house["Lena"].post(f"{at}/activate")
    await house["Lena"].post(f"/assignments/{assignment['id']}/start")
    milestones = await steps.plan_milestones(house, engagement, programme["topics"], MILESTONES, RECEIVERS)
    for n, milestone in enumerate(milestones):
        due = date.fromisoformat(milestone["due_on"])
        yield due - timedelta(days=10)
        await steps.log(voice, milestone, 45, "Half way, with the team.")
        if n == 1 and plan.reaches == "paused":
            await house["Lena"].post(f"{at}/pause")
            return
        if n == 1 and plan.reaches == "terminated":
            await house["Lena"].post(f"{at}/terminate", reason="The expert took another post.")
            return
        yield due - timedelta(days=1)
        await steps.log(voice, milestone, 100, "The receivers did it while I watched.")
        await steps.finish(house, voice, milestone, RECEIVERS)
    if plan.reaches == "active":
        return
    await house["Lena"].post(f"{at}/begin-handover")
    if plan.reaches == "handover":
        return
    await steps.deliver(house, voice, assignment)
    for topic in programme["topics"]:
        for name in RECEIVERS:
            await steps.assess(house, voice, topic, name)
    certificate = await steps.certify(house, voice, engagement)
    for name in ("Lena", "Marit"):
        await house[name].post(f"/handover-certificates/{certificate['id']}/accept")
    await steps.part(house, voice, engagement)
    for name in ("Lena", "Marit"):
        await house[name].post(f"{at}/close")
