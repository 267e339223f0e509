"""What the demo's people do, one function a step: each is a handful of calls that any client could make.

The journeys of the test suite walk the same steps, and try in between what must be refused.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from api.demo.cast import House, Voice

Thing = dict[str, Any]
EUR = "EUR"


def euros(amount: int) -> Thing:
    return {"amount": f"{amount}.00", "currency": EUR}


async def register_expert(house: House, n: int, name: str, skills: Sequence[str]) -> Thing:
    """Procurement registers an expert and begins to vet them."""
    expert = await house["Petra"].post(
        "/experts",
        name=name,
        email=f"{name.lower().replace(' ', '.')}@experts.{house.slug}.example",
        firm=f"Studio {n % 7 + 1}",
        country=["NL", "BE", "FR", "DE", "DK"][n % 5],
        skills=list(skills),
        languages=["en", "nl"],
    )
    return await house["Petra"].post(f"/experts/{expert['id']}/start-vetting")


async def prove(house: House, expert: Thing, client: str, result: str) -> None:
    """Procurement records what a client got out of the expert's work; a colleague verifies it with that client."""
    claim = await house["Petra"].post(
        "/expertise-claims",
        expert_id=expert["id"],
        skill=expert["skills"][0],
        evidence_type="client_outcome",
        client=client,
        result=result,
    )
    await house["Pieter"].post(f"/expertise-claims/{claim['id']}/verify")


async def vet(house: House, expert: Thing, valid_until: date) -> None:
    """Record the checks that passed; until that day an approval holds."""
    for kind in ("identity", "conflict_of_interest"):
        await house["Petra"].post(
            "/vetting-checks", expert_id=expert["id"], kind=kind, result="passed", valid_until=str(valid_until)
        )


async def draft_programme(house: House, title: str, *, means: int) -> tuple[Thing, Thing]:
    """The lead drafts a programme with two more units, and its charter with objectives in figures."""
    lead, people, units = house["Lena"], house.people, house.units
    programme = await lead.post(
        "/programmes",
        title=title,
        summary="Hear what customers say in public, answer it, and learn from it, with our own people.",
        home_unit_id=units["PR"],
        lead_id=people["Lena"],
        champion_id=people["Olga"],
        evangelist_id=people["Eva"],
    )
    for unit in ("Marketing", "Customer Service"):
        await lead.post("/participations", programme_id=programme["id"], unit_id=units[unit])
    charter = await lead.post(
        "/charters",
        programme_id=programme["id"],
        approach="Start in the open, discuss inside what is heard outside, then hand the work over to the teams.",
        means=euros(means),
        means_source="new",
        horizon_on=str(house.today + timedelta(days=540)),
        review_dates=[str(house.today + timedelta(days=n)) for n in (90, 180, 270)],
    )
    for title, kpi, baseline, target, direction in (
        ("Answer in time", "public questions answered within the hour", "40", "85", "increase"),
        ("Keep customers", "monthly churn among customers who complained", "6.5", "4", "decrease"),
    ):
        await lead.post(
            "/objectives",
            charter_id=charter["id"],
            title=title,
            kpi=kpi,
            measured_in="%",
            baseline=baseline,
            target=target,
            direction=direction,
            data_source="Monthly service report",
            judge_id=people["Olga"],
            judged_on=str(house.today + timedelta(days=360)),
        )
    return programme, charter


async def sponsor(house: House, programme: Thing, names: Sequence[str] = ("Marit", "Carlos")) -> None:
    """The lead invites managers, who commit in their own name."""
    for name in names:
        invited = await house["Lena"].post(
            "/sponsor-commitments", programme_id=programme["id"], person_id=house.people[name]
        )
        await house[name].post(f"/sponsor-commitments/{invited['id']}/commit")


async def propose(house: House, programme: Thing, charter: Thing) -> None:
    await house["Lena"].post(f"/charters/{charter['id']}/submit")
    await house["Lena"].post(f"/programmes/{programme['id']}/propose")


async def agree_and_activate(house: House, programme: Thing, charter: Thing) -> None:
    """The champion and both sponsors endorse the charter; a sponsor activates what the lead proposed."""
    for name in ("Olga", "Marit", "Carlos"):
        await house[name].post(f"/charters/{charter['id']}/endorse")
    await house["Marit"].post(f"/programmes/{programme['id']}/activate")


async def draft_engagement(
    house: House, programme: Thing, expert: Thing, title: str, *, mode: str, starts: date, days: int, value: int
) -> Thing:
    return await house["Petra"].post(
        "/engagements",
        programme_id=programme["id"],
        expert_id=expert["id"],
        title=title,
        mode=mode,
        starts_on=str(starts),
        ends_on=str(starts + timedelta(days=days)),
        value=euros(value),
    )


async def scope(house: House, engagement: Thing, kind: str, title: str, *, value: int | None = None) -> Thing:
    """Procurement drafts an assignment with its deliverable; the lead agrees to it."""
    assignment = await house["Petra"].post(
        "/assignments",
        engagement_id=engagement["id"],
        title=title,
        kind=kind,
        objectives="What the charter asks for, in steps that the team can repeat.",
        in_scope=["Public channels in Dutch and English"],
        out_of_scope=["Paid campaigns"],
        assumptions=["The team has four hours a week"],
        acceptance_criteria=["The team did it once without the expert"],
        effort_days=10,
        starts_on=engagement["starts_on"],
        ends_on=engagement["ends_on"],
        **({"value": euros(value)} if value else {}),
    )
    assignment["deliverable"] = await house["Petra"].post(
        "/deliverables",
        assignment_id=assignment["id"],
        title=f"{title}: report",
        due_on=engagement["ends_on"],
        acceptance_criteria="Tells what was done, by whom, and how to go on.",
    )
    await house["Lena"].post(f"/assignments/{assignment['id']}/agree")
    return assignment


async def draft_contract(house: House, engagement: Thing, kind: str, **terms: Any) -> Thing:
    """Procurement drafts a contract and a colleague approves it; it then lies ready to be sent."""
    number = f"{kind.upper()}-{engagement['id'][-8:]}"
    contract = await house["Petra"].post(
        "/contracts",
        kind=kind,
        number=number,
        title=f"{kind.upper()} for {engagement['title']}"[:200],
        expert_id=engagement["expert_id"],
        engagement_id=engagement["id"],
        wording="Team and results belong to the client. What is learned is handed over before the end.",
        governing_law="Dutch law",
        effective_on=str(house.today),
        expires_on=str(date.fromisoformat(engagement["ends_on"]) + timedelta(days=90)),
        **terms,
    )
    await house["Petra"].post(f"/contracts/{contract['id']}/submit")
    await house["Pieter"].post(f"/contracts/{contract['id']}/approve")
    return contract


def nda_terms(categories: Sequence[str]) -> Thing:
    return {
        "purpose": "Social listening",
        "categories": list(categories),
        "highest_classification": "confidential",
        "survival_months": 24,
    }


async def sign(voice: Voice, contract: Thing) -> Thing:
    """Sign in one's own name what was sent, as one read it."""
    seen = await voice.get(f"/contracts/{contract['id']}")
    return await voice.post(
        f"/contracts/{contract['id']}/sign",
        document_hash=seen["document_hash"],
        consent_text="I have read this contract and sign it in my own name.",
    )


async def conclude(house: House, expert: Voice, contract: Thing, client: str = "Marit") -> None:
    """Send a contract; the expert signs first, the client second."""
    await house["Petra"].post(f"/contracts/{contract['id']}/send")
    await sign(expert, contract)
    await sign(house[client], contract)


async def settle_tasks(house: House, expert: Voice, engagement: Thing) -> None:
    """Whoever owns an onboarding task does it, and somebody else accepts it."""
    tasks = await house["Petra"].get("/onboarding-tasks", engagement_id=engagement["id"])
    owners = {"expert": expert, "procurement": house["Petra"], "lead": house["Lena"]}
    for task in tasks["data"]:
        await owners[task["owner_role"]].post(f"/onboarding-tasks/{task['id']}/submit", evidence="Seen and filed.")
        await house["Pieter"].post(f"/onboarding-tasks/{task['id']}/accept")


async def do_homework(house: House, expert: Voice, engagement: Thing) -> None:
    dossier = await expert.post(
        "/dossiers",
        engagement_id=engagement["id"],
        needs="You want to hear customers where they talk, and to answer as people.",
        business="Ferries; customers book once or twice a year and remember how delays were handled.",
        objectives_addressed=["Answer in time"],
        sources_read=["Annual report", "Last 500 public questions"],
        questions=["Who may speak for the company at night?"],
        first_30_days="Listen, sit with the web care team, write down ten patterns.",
    )
    await expert.post(f"/dossiers/{dossier['id']}/submit")
    await house["Lena"].post(f"/dossiers/{dossier['id']}/accept")


async def classify(house: House, programme: Thing) -> Thing:
    """The data owner puts the churn figures under lock."""
    return await house["Dora"].post(
        "/assets",
        programme_id=programme["id"],
        title="Churn among customers who complained",
        category="customer_figures",
        classification="confidential",
        content={"churn_percent": {"2026-01": "6.5", "2026-02": "6.1"}, "customers": 48210},
    )


async def ask_access(expert: Voice, asset: Thing, engagement: Thing) -> Thing:
    return await expert.post(
        "/access-grants", asset_id=asset["id"], engagement_id=engagement["id"], purpose="Social listening"
    )


async def name_topics(house: House, programme: Thing, titles: Sequence[tuple[str, bool]]) -> list[Thing]:
    return [
        await house["Lena"].post("/topics", programme_id=programme["id"], title=title, critical=critical)
        for title, critical in titles
    ]


async def plan_milestones(
    house: House, engagement: Thing, topics: Sequence[Thing], titles: Sequence[str], receivers: Sequence[str]
) -> list[Thing]:
    """The lead plans who receives what by when, evenly over the engagement."""
    starts, ends = (date.fromisoformat(engagement[key]) for key in ("starts_on", "ends_on"))
    step = (ends - starts) / (len(titles) + 1)
    return [
        await house["Lena"].post(
            "/milestones",
            engagement_id=engagement["id"],
            title=title,
            topic_ids=[topics[n % len(topics)]["id"]],
            receiver_ids=[house.people[name] for name in receivers],
            due_on=str(starts + step * (n + 1)),
            weight=n + 1,
            acceptance_criteria="The receivers did it once while the expert watched.",
        )
        for n, title in enumerate(titles)
    ]


async def log(expert: Voice, milestone: Thing, percent: int, note: str, *, hours: str = "4.00") -> Thing:
    return await expert.post(f"/milestones/{milestone['id']}/progress", percent=percent, hours=hours, note=note)


async def finish(house: House, expert: Voice, milestone: Thing, receivers: Sequence[str]) -> None:
    """The expert submits a milestone, its receivers confirm that it reached them, the lead accepts it."""
    await expert.post(f"/milestones/{milestone['id']}/submit")
    for name in receivers:
        await house[name].post(f"/milestones/{milestone['id']}/confirm")
    await house["Lena"].post(f"/milestones/{milestone['id']}/accept")


async def assess(house: House, expert: Voice, topic: Thing, name: str, level: int = 3) -> Thing:
    return await expert.post(
        "/assessments",
        topic_id=topic["id"],
        person_id=house.people[name],
        level=level,
        evidence="Ran the weekly round alone and explained each answer.",
    )


async def deliver(house: House, expert: Voice, assignment: Thing) -> None:
    """The expert delivers what an assignment promised; the lead accepts it."""
    await expert.post(
        f"/deliverables/{assignment['deliverable']['id']}/submit", evidence="Report in the team's folder."
    )
    await house["Lena"].post(f"/deliverables/{assignment['deliverable']['id']}/accept")
    await expert.post(f"/assignments/{assignment['id']}/deliver")
    await house["Lena"].post(f"/assignments/{assignment['id']}/accept")


async def certify(house: House, expert: Voice, engagement: Thing) -> Thing:
    """The expert draws up and submits the handover certificate."""
    certificate = await expert.post(
        "/handover-certificates",
        engagement_id=engagement["id"],
        summary="Rounds, escalation and reporting are written down in the team's handbook and done by the team.",
    )
    return await expert.post(f"/handover-certificates/{certificate['id']}/submit")


async def part(house: House, expert: Voice, engagement: Thing) -> None:
    """What both sides owe each other at the end: a return certificate, and what each says of the other."""
    await expert.post(
        "/return-certificates", engagement_id=engagement["id"], method="destroyed", items=["Working copies of figures"]
    )
    for voice in (expert, house["Lena"]):
        await voice.post(
            "/evaluations",
            engagement_id=engagement["id"],
            objectives="met",
            knowledge_transferred=True,
            would_engage_again=True,
            comment="Answers within the hour rose from 40 % to 86 %; two colleagues run the rounds.",
        )
