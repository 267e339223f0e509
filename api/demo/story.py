"""The story that the tracker exists for: one engagement, from a sponsored programme to an accepted handover.

Told in scenes: the demo plays them over months of its clock, and the journey in the test suite stops after each to try
what must be refused.
"""

from collections.abc import AsyncIterator
from datetime import date, timedelta

from api.demo import steps
from api.demo.cast import House, Voice
from api.demo.steps import Thing

ASSIGNMENTS = (
    ("sounding_board", "Sounding board for the web care team", 6_000),
    ("facilitation", "Start the internal discussion", 12_000),
    ("knowledge_transfer", "Transfer knowledge to the web care team", 30_000),
)
TOPICS = (("Run the weekly listening round", True), ("Answer in a crisis", True), ("Write the monthly report", False))
MILESTONES = (
    "Listening round explained",
    "Crisis answers rehearsed",
    "Report written together",
    "Team runs a round alone",
)
RECEIVERS = ("Mila", "Tom")


class Story:
    """Scene by scene; what came to be stands in the attributes."""

    programme: Thing
    charter: Thing
    expert: Thing
    voice: Voice
    engagement: Thing
    assignments: list[Thing]
    asset: Thing
    contracts: dict[str, Thing]
    grant: Thing
    topics: list[Thing]
    milestones: list[Thing]
    certificate: Thing

    def __init__(self, house: House, name: str = "Noor Luister") -> None:
        self.house, self.name = house, name

    async def scenes(self) -> AsyncIterator[tuple[str, date]]:
        """What has just happened, and the day on which it goes on."""
        for part in (self._programme, self._expert, self._scope, self._onboarding, self._work, self._handover):
            async for scene in part():
                yield scene

    async def _programme(self) -> AsyncIterator[tuple[str, date]]:
        house = self.house
        self.programme, self.charter = await steps.draft_programme(house, "Social listening 2027", means=120_000)
        yield "drafted_programme", house.today
        await steps.sponsor(house, self.programme)
        await steps.propose(house, self.programme, self.charter)
        yield "proposed_programme", house.today + timedelta(days=3)
        await steps.agree_and_activate(house, self.programme, self.charter)
        yield "activated_programme", house.today + timedelta(days=4)

    async def _expert(self) -> AsyncIterator[tuple[str, date]]:
        house = self.house
        self.expert = await steps.register_expert(house, 0, self.name, ["Social listening", "Web care"])
        await steps.prove(house, self.expert, "River Transit", "Complaints answered within a day: 41 % to 88 %")
        await steps.vet(house, self.expert, house.today + timedelta(days=700))
        yield "half_proven", house.today + timedelta(days=2)
        await steps.prove(house, self.expert, "City Theatre", "Seats sold through own channels: 12 % to 30 %")
        await house["Petra"].post(f"/experts/{self.expert['id']}/approve")
        self.voice = await house.hire(self.expert)
        yield "approved_expert", house.today

    async def _scope(self) -> AsyncIterator[tuple[str, date]]:
        house = self.house
        self.asset = await steps.classify(house, self.programme)
        self.engagement = await steps.draft_engagement(
            house,
            self.programme,
            self.expert,
            "Social listening with the web care team",
            mode="assignment",
            starts=house.today + timedelta(days=30),
            days=150,
            value=48_000,
        )
        yield "drafted_engagement", house.today
        self.assignments = [
            await steps.scope(house, self.engagement, kind, title, value=value) for kind, title, value in ASSIGNMENTS
        ]
        await house["Petra"].post(f"/engagements/{self.engagement['id']}/submit")
        yield "submitted_engagement", house.today + timedelta(days=3)
        await house["Marit"].post(f"/engagements/{self.engagement['id']}/approve")
        yield "approved_engagement", house.today + timedelta(days=2)

    async def _onboarding(self) -> AsyncIterator[tuple[str, date]]:
        house, at = self.house, f"/engagements/{self.engagement['id']}"
        self.engagement = await house["Petra"].post(f"{at}/start-onboarding")
        yield "started_onboarding", house.today
        self.contracts = {
            "msa": await steps.draft_contract(house, self.engagement, "msa"),
            "sow": await steps.draft_contract(house, self.engagement, "sow", value=steps.euros(48_000)),
            "nda": await steps.draft_contract(house, self.engagement, "nda", **steps.nda_terms(["customer_figures"])),
        }
        for contract in self.contracts.values():
            await house["Petra"].post(f"/contracts/{contract['id']}/send")
        yield "sent_contracts", house.today + timedelta(days=1)
        for contract in self.contracts.values():
            await steps.sign(self.voice, contract)
            await steps.sign(house["Marit"], contract)
        await steps.settle_tasks(house, self.voice, self.engagement)
        await steps.do_homework(house, self.voice, self.engagement)
        self.grant = await steps.ask_access(self.voice, self.asset, self.engagement)
        yield "signed_contracts", house.today
        await house["Dora"].post(
            f"/access-grants/{self.grant['id']}/grant", expires_at=f"{self.engagement['ends_on']}T12:00:00Z"
        )
        yield "granted_access", date.fromisoformat(self.engagement["starts_on"])

    async def _work(self) -> AsyncIterator[tuple[str, date]]:
        house, at = self.house, f"/engagements/{self.engagement['id']}"
        self.engagement = await house["Lena"].post(f"{at}/activate")
        yield "activated_engagement", house.today
        for assignment in self.assignments:
            await house["Lena"].post(f"/assignments/{assignment['id']}/start")
        self.topics = await steps.name_topics(house, self.programme, TOPICS)
        self.milestones = await steps.plan_milestones(house, self.engagement, self.topics, MILESTONES, RECEIVERS)
        for milestone in self.milestones:
            due = date.fromisoformat(milestone["due_on"])
            for days, percent, note in (
                (14, 25, "Explained, with examples of the team."),
                (7, 70, "Done together; the receivers led half of it."),
                (1, 100, "The receivers did it while I watched."),
            ):
                yield "worked", due - timedelta(days=days)
                await steps.log(self.voice, milestone, percent, note)
            await self.voice.post(f"/milestones/{milestone['id']}/submit")
            yield "submitted_milestone", house.today
            for name in RECEIVERS:
                await house[name].post(f"/milestones/{milestone['id']}/confirm")
            await house["Lena"].post(f"/milestones/{milestone['id']}/accept")
        for assignment in self.assignments:
            await steps.deliver(house, self.voice, assignment)

    async def _handover(self) -> AsyncIterator[tuple[str, date]]:
        house, at = self.house, f"/engagements/{self.engagement['id']}"
        await self.voice.post(f"{at}/begin-handover")
        self.certificate = await steps.certify(house, self.voice, self.engagement)
        yield "certified", house.today + timedelta(days=1)
        for topic in self.topics:
            for name in RECEIVERS:
                await steps.assess(house, self.voice, topic, name)
        yield "assessed", house.today
        for name in ("Lena", "Carlos"):
            await house[name].post(f"/handover-certificates/{self.certificate['id']}/accept")
            yield "accepted_handover", house.today
        await house["Dora"].post(f"/access-grants/{self.grant['id']}/revoke", reason="The work is done.")
        yield "revoked_access", house.today
        await steps.part(house, self.voice, self.engagement)
        await house["Lena"].post(f"{at}/close")
        yield "closed_by_lead", house.today
        self.engagement = await house["Carlos"].post(f"{at}/close")
        yield "closed", house.today
