"""Milestones, assessments and the handover certificate: every move, and every rule that refuses one."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.errors import Conflict, Invalid
from models.knowledge_transfer.handover import (
    HANDOVER_CERTIFICATE,
    HandoverCertificate,
    HandoverFacts,
    HandoverReservationFields,
    ReservationFacts,
    require_reservable,
)
from models.knowledge_transfer.handover import HandoverCertificateStatus as CertificateStatus
from models.knowledge_transfer.milestones import (
    MILESTONE,
    Milestone,
    MilestoneFacts,
    MilestoneStatus,
    ProgressEntryFields,
)
from models.knowledge_transfer.topics import AssessmentFacts, AssessmentFields, assess, require_topics_of_programme

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
EXPERT, LEAD, SPONSOR, RECEIVER = (uuid4() for _ in range(4))

BY_EXPERT = MilestoneFacts(
    account_id=EXPERT,
    person_id=None,
    expert_id=EXPERT,
    engagement_status="active",
    topics=1,
    receivers=[RECEIVER],
    unconfirmed=[],
)
BY_LEAD = replace(BY_EXPERT, account_id=LEAD, person_id=LEAD, expert_id=None, is_lead=True)
BY_CHAMPION = replace(BY_LEAD, account_id=SPONSOR, person_id=SPONSOR, is_lead=False, is_champion=True)
BY_RECEIVER = replace(BY_EXPERT, account_id=RECEIVER, person_id=RECEIVER, expert_id=None)
MILESTONE_FACTS = {"progress": BY_EXPERT, "submit": BY_EXPERT, "confirm": BY_RECEIVER, "waive": BY_CHAMPION}

SUBMITS = HandoverFacts(
    account_id=EXPERT,
    expert_id=EXPERT,
    is_lead=False,
    is_sponsor=False,
    engagement_status="handover",
    uncovered_topics=[],
    unsettled_milestones=[],
)
LEADS = replace(SUBMITS, account_id=LEAD, expert_id=None, is_lead=True)
SPONSORS = replace(SUBMITS, account_id=SPONSOR, expert_id=None, is_sponsor=True)


def milestone(status: MilestoneStatus = MilestoneStatus.IN_PROGRESS, percent: int = 100) -> Milestone:
    return Milestone(
        engagement_id=uuid4(),
        title="Dashboards",
        due_on=TODAY,
        acceptance_criteria="Runs alone",
        status=status,
        percent=percent,
        submitted_by=EXPERT,
    )


def certificate(status: CertificateStatus = CertificateStatus.SUBMITTED, **more: Any) -> HandoverCertificate:
    return HandoverCertificate(engagement_id=uuid4(), summary="All of it", status=status, submitted_by=EXPERT, **more)


def refused_rules(refused: pytest.ExceptionInfo[Conflict]) -> list[str]:
    return [unmet.rule for unmet in refused.value.unmet]


@pytest.mark.parametrize("state", list(MilestoneStatus))
@pytest.mark.parametrize("action", MILESTONE.moves)
def test_a_milestone_moves_as_its_table_says(action: str, state: MilestoneStatus) -> None:
    row, move = milestone(state), MILESTONE.moves[action]
    facts = MILESTONE_FACTS.get(action, BY_LEAD)
    if state in move.origins:
        MILESTONE.move(action, row, facts)
        assert row.status == (move.reached or state)
    else:
        with pytest.raises(Conflict) as refused:
            MILESTONE.move(action, row, facts)
        assert (refused_rules(refused), row.status) == (["status"], state)


@pytest.mark.parametrize("state", list(CertificateStatus))
@pytest.mark.parametrize("action", HANDOVER_CERTIFICATE.moves)
def test_a_certificate_moves_as_its_table_says(action: str, state: CertificateStatus) -> None:
    row, move = certificate(state), HANDOVER_CERTIFICATE.moves[action]
    facts = SUBMITS if action == "submit" else LEADS
    if state in move.origins:
        HANDOVER_CERTIFICATE.move(action, row, facts)
        assert row.status == move.reached
    else:
        with pytest.raises(Conflict) as refused:
            HANDOVER_CERTIFICATE.move(action, row, facts)
        assert (refused_rules(refused), row.status) == (["status"], state)


@pytest.mark.parametrize(
    ("action", "status", "percent", "facts", "rules"),
    [
        ("progress", "planned", 0, BY_LEAD, ["by-the-expert"]),
        ("progress", "planned", 0, replace(BY_EXPERT, engagement_status="closed"), ["running-engagement"]),
        ("submit", "in_progress", 90, replace(BY_EXPERT, topics=0, receivers=[]), ["progress", "topics", "receivers"]),
        ("confirm", "submitted", 100, BY_LEAD, ["by-a-receiver"]),
        ("accept", "submitted", 100, replace(BY_LEAD, unconfirmed=[RECEIVER]), ["confirmed-by-receivers"]),
        ("accept", "submitted", 100, BY_EXPERT, ["by-the-lead", "four-eyes"]),
        ("accept", "submitted", 100, replace(BY_LEAD, person_id=RECEIVER), ["four-eyes"]),
        ("return", "submitted", 100, BY_EXPERT, ["by-the-lead", "four-eyes"]),
        ("return", "submitted", 100, replace(BY_LEAD, account_id=EXPERT), ["four-eyes"]),
        ("waive", "submitted", 100, BY_LEAD, ["by-the-champion"]),
        ("waive", "submitted", 100, replace(BY_CHAMPION, account_id=EXPERT), ["four-eyes"]),
    ],
)
def test_a_milestone_refuses_with_every_rule(
    action: str, status: str, percent: int, facts: MilestoneFacts, rules: list[str]
) -> None:
    row = milestone(MilestoneStatus(status), percent)
    with pytest.raises(Conflict) as refused:
        MILESTONE.move(action, row, facts)
    assert (refused_rules(refused), row.status) == (rules, status)


def test_progress_is_an_entry_and_begins_the_milestone() -> None:
    row = milestone(MilestoneStatus.PLANNED, 0)
    entry = row.progress(ProgressEntryFields(percent=40), BY_EXPERT, TODAY)
    assert (row.status, row.percent) == (MilestoneStatus.IN_PROGRESS, 40)
    assert (entry.on, entry.percent, entry.logged_by, entry.milestone_id) == (TODAY, 40, EXPERT, row.id)


def test_progress_falls_only_with_a_note_and_never_lies_ahead() -> None:
    row = milestone(percent=60)
    for given, code in (
        (ProgressEntryFields(percent=50), "fall-without-note"),
        (ProgressEntryFields(percent=70, on=date(2026, 11, 25)), "progress-in-the-future"),
    ):
        with pytest.raises(Invalid) as refused:
            row.progress(given, BY_EXPERT, TODAY)
        assert (refused.value.code, row.percent) == (code, 60)
    row.progress(ProgressEntryFields(percent=50, note="The source closed its interface"), BY_EXPERT, TODAY)
    assert row.percent == 50


def test_a_milestone_is_changed_only_while_planned() -> None:
    with pytest.raises(Conflict, match="in_progress"):
        milestone().require_planned()


def judge(**facts: Any) -> AssessmentFacts:
    known: dict[str, Any] = {"person_id": None, "expert_id": EXPERT, "account_id": EXPERT, "own_level": 0}
    return AssessmentFacts(**{**known, "today": TODAY, "running_engagements": 1, "valid_days": 180, **facts})


def given(person_id: UUID = RECEIVER) -> AssessmentFields:
    return AssessmentFields(topic_id=uuid4(), person_id=person_id, level=3, evidence="Ran the week alone")


def test_an_assessment_counts_for_as_long_as_the_policy_says() -> None:
    made = assess(given(), judge(valid_days=180))
    assert (made.assessed_on, made.valid_until, made.assessed_by) == (TODAY, date(2027, 5, 23), EXPERT)
    assert assess(given(), judge(person_id=LEAD, expert_id=None, own_level=4)).level == 3


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        (judge(person_id=RECEIVER, expert_id=None, own_level=4), ["four-eyes"]),
        (judge(person_id=LEAD, expert_id=None, own_level=3), ["assessor-level"]),
        (judge(person_id=RECEIVER, expert_id=None, own_level=0), ["four-eyes", "assessor-level"]),
        (judge(running_engagements=0), ["running-engagement"]),
    ],
)
def test_who_may_not_assess(facts: AssessmentFacts, rules: list[str]) -> None:
    with pytest.raises(Conflict) as refused:
        assess(given(), facts)
    assert refused_rules(refused) == rules


def test_topics_belong_to_the_programme() -> None:
    one, other = uuid4(), uuid4()
    require_topics_of_programme([one, one, other], 2)
    with pytest.raises(Invalid) as refused:
        require_topics_of_programme([one, other], 1)
    assert refused.value.code == "topic-of-another-programme"


@pytest.mark.parametrize("order", [(LEADS, SPONSORS), (SPONSORS, LEADS)])
def test_a_certificate_takes_the_lead_and_a_sponsor_in_any_order(order: tuple[HandoverFacts, HandoverFacts]) -> None:
    row = certificate()
    row.accept(order[0], NOW)
    assert row.status == CertificateStatus.SUBMITTED
    row.accept(order[1], NOW)
    assert (row.status, row.lead_accepted_by, row.sponsor_accepted_by) == (CertificateStatus.ACCEPTED, LEAD, SPONSOR)


@pytest.mark.parametrize(("before", "now"), [(1, 0), (0, 1)])
def test_a_reservation_of_either_side_is_told_in_the_status(before: int, now: int) -> None:
    row = certificate(lead_accepted_by=LEAD, lead_accepted_at=NOW)
    row.accept(replace(SPONSORS, reservations=before), NOW, now)
    assert row.status == CertificateStatus.ACCEPTED_WITH_RESERVATIONS


def test_nobody_accepts_under_another_account() -> None:
    row = certificate(lead_accepted_by=LEAD, lead_accepted_at=NOW)
    with pytest.raises(Conflict) as refused:
        row.accept(replace(SPONSORS, has_acted=True), NOW)
    assert (refused_rules(refused), row.sponsor_accepted_by) == (["four-eyes"], None)


def reservation(due_on: date = TODAY) -> HandoverReservationFields:
    return HandoverReservationFields(topic_id=uuid4(), owner_id=uuid4(), due_on=due_on, note="Write it down")


def test_reservations_have_a_topic_an_owner_and_a_day_to_come() -> None:
    sound = ReservationFacts(topics=1, critical_topics=[], owners=1, today=TODAY)
    require_reservable([reservation()], sound)
    require_reservable([], replace(sound, topics=0, owners=0))
    for given_reservation, facts, code in (
        (reservation(), replace(sound, topics=0), "topic-of-another-programme"),
        (reservation(), replace(sound, owners=0), "owner-not-here"),
        (reservation(date(2026, 11, 23)), sound, "reservation-in-the-past"),
    ):
        with pytest.raises(Invalid) as invalid:
            require_reservable([given_reservation], facts)
        assert invalid.value.code == code
    with pytest.raises(Conflict) as refused:
        require_reservable([reservation()], replace(sound, critical_topics=["Churn"]))
    assert (refused_rules(refused), refused.value.unmet[0].actual) == (["non-critical-topics"], ["Churn"])


def test_nobody_accepts_twice_even_as_lead_and_sponsor_in_one() -> None:
    row, both = certificate(), replace(LEADS, is_sponsor=True)
    row.accept(both, NOW)
    with pytest.raises(Conflict) as refused:
        row.accept(both, NOW)
    assert (refused_rules(refused), row.sponsor_accepted_by) == (["four-eyes"], None)


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        (replace(LEADS, uncovered_topics=["Churn"]), ["critical-topics-covered"]),
        (replace(LEADS, unsettled_milestones=["Dashboards"]), ["required-milestones-settled"]),
        (replace(LEADS, is_lead=False), ["lead-and-sponsor"]),
        (replace(SUBMITS, is_lead=True), ["never-the-expert", "four-eyes"]),
    ],
)
def test_what_stands_in_the_way_of_a_certificate(facts: HandoverFacts, rules: list[str]) -> None:
    row = certificate()
    with pytest.raises(Conflict) as refused:
        row.accept(facts, NOW)
    assert (refused_rules(refused), row.status, row.lead_accepted_by) == (rules, CertificateStatus.SUBMITTED, None)


def test_the_refusal_names_the_topic_below_coverage() -> None:
    with pytest.raises(Conflict) as refused:
        certificate().accept(replace(LEADS, uncovered_topics=["Churn"]), NOW)
    assert refused.value.unmet[0].actual == ["Churn"]


def test_only_the_expert_submits_and_a_new_submission_clears_acceptances() -> None:
    row = certificate(CertificateStatus.REJECTED, lead_accepted_by=LEAD, lead_accepted_at=NOW, reason="Too thin")
    with pytest.raises(Conflict) as refused:
        row.submit(replace(LEADS, engagement_status="closed"))
    assert refused_rules(refused) == ["by-the-expert", "running-engagement"]
    row.submit(SUBMITS)
    assert (row.status, row.lead_accepted_by, row.reason) == (CertificateStatus.SUBMITTED, None, None)


def test_a_submitted_certificate_is_not_changed() -> None:
    with pytest.raises(Conflict, match="submitted"):
        certificate().require_editable()
