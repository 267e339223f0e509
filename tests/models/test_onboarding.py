"""Which documents an engagement needs and which tasks it begins with, at the very bounds of the policy."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.engagements import Engagement, EngagementMode
from models.errors import Invalid
from models.onboarding import (
    AT_WORK,
    TEMPLATES,
    DocumentNeeds,
    OnboardingTask,
    TaskKind,
    TaskPhase,
    TaskStatus,
    required_documents,
    tasks_for,
)
from models.policy import Role
from models.types import FIRST_DAY, LAST_DAY

START = date(2027, 1, 1)
NEEDS = DocumentNeeds(msa_above_days=90, msa_above_value=25_000, currency="EUR", classified_assets=0)


def engagement(*, days: int = 30, value: str = "1000.00", **more: Any) -> Engagement:
    """An engagement of so many days, both ends included."""
    values = {"title": "Listen", "mode": EngagementMode.ASSIGNMENT, "starts_on": START, "value_currency": "EUR", **more}
    values.setdefault("ends_on", values["starts_on"] + timedelta(days=days - 1))
    return Engagement(
        programme_id=uuid4(), expert_id=uuid4(), value_amount=Decimal(value), drafted_by=uuid4(), **values
    )


@pytest.mark.parametrize(
    ("of", "needs", "documents"),
    [
        (engagement(), NEEDS, ["sow"]),
        (engagement(days=1), NEEDS, ["sow"]),
        (engagement(days=90), NEEDS, ["sow"]),
        (engagement(days=91), NEEDS, ["msa", "sow"]),
        (engagement(value="25000.00"), NEEDS, ["sow"]),
        (engagement(value="25000.01"), NEEDS, ["msa", "sow"]),
        (engagement(value_currency="USD"), NEEDS, ["msa", "sow"]),
        (engagement(), replace(NEEDS, classified_assets=1), ["nda", "sow"]),
        (engagement(days=91, value="25000.01"), replace(NEEDS, classified_assets=3), ["msa", "nda", "sow"]),
        (engagement(days=1), replace(NEEDS, msa_above_days=0), ["msa", "sow"]),
        (engagement(value="0.00"), replace(NEEDS, msa_above_value=0), ["sow"]),
        (engagement(value="0.01"), replace(NEEDS, msa_above_value=0), ["msa", "sow"]),
    ],
)
def test_documents_follow_from_length_value_and_secrets(
    of: Engagement, needs: DocumentNeeds, documents: list[str]
) -> None:
    assert required_documents(of, needs) == documents


@given(bound=st.integers(1, 3650), over=st.integers(-1, 1))
def test_the_last_day_counts_and_the_bound_itself_needs_no_msa(bound: int, over: int) -> None:
    of = engagement(days=max(1, bound + over))
    assert ("msa" in required_documents(of, replace(NEEDS, msa_above_days=bound))) is (over == 1)


@given(bound=st.integers(0, 10_000_000), cents=st.integers(-1, 1))
def test_one_cent_above_the_bound_needs_an_msa(bound: int, cents: int) -> None:
    value = max(Decimal(0), bound + Decimal(cents) / 100)
    documents = required_documents(engagement(value=str(value)), replace(NEEDS, msa_above_value=bound))
    assert ("msa" in documents) is (cents == 1)


@given(
    days=st.integers(1, 4000),
    cents=st.integers(0, 10**10),
    needs=st.builds(
        DocumentNeeds,
        msa_above_days=st.integers(0, 3650),
        msa_above_value=st.integers(0, 10_000_000),
        currency=st.sampled_from(["EUR", "USD"]),
        classified_assets=st.integers(0, 5),
    ),
)
def test_more_at_stake_never_needs_fewer_documents(days: int, cents: int, needs: DocumentNeeds) -> None:
    def documents(days: int, cents: int, more: int) -> set[str]:
        of = engagement(days=days, value=str(Decimal(cents) / 100))
        found = required_documents(of, replace(needs, classified_assets=needs.classified_assets + more))
        assert len(found) == len(set(found))
        assert found[-1] == "sow"
        return set(found)

    assert documents(days, cents, 0) <= documents(days + 1, cents + 1, 1)


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        (EngagementMode.SOUNDING_BOARD, ["identity", "compliance", "briefing"]),
        (EngagementMode.ASSIGNMENT, ["identity", "compliance", "insurance", "account", "briefing"]),
        (EngagementMode.LONG_MISSION, ["identity", "compliance", "insurance", "account", "briefing"]),
    ],
)
def test_tasks_follow_from_the_mode(mode: EngagementMode, kinds: list[str]) -> None:
    of = engagement(mode=mode)
    tasks = tasks_for(of)
    assert [t.kind for t in tasks] == kinds
    assert {t.engagement_id for t in tasks} == {of.id}
    assert {(t.phase, t.status) for t in tasks} == {(TaskPhase.ONBOARDING, TaskStatus.OPEN)}
    assert [t.kind for t in tasks if not t.mandatory] == [TaskKind.BRIEFING]


@given(mode=st.sampled_from(EngagementMode), starts_on=st.dates(FIRST_DAY, LAST_DAY))
def test_every_task_is_due_before_the_work_and_has_an_owner_who_may_do_it(
    mode: EngagementMode, starts_on: date
) -> None:
    due = {t.kind: t.due_on for t in tasks_for(engagement(mode=mode, starts_on=starts_on, ends_on=starts_on))}
    expected = {t.kind: starts_on - timedelta(days=t.days_before) for t in TEMPLATES if mode in t.modes}
    assert due == {kind: max(day, FIRST_DAY) for kind, day in expected.items()}
    for task in tasks_for(engagement(mode=mode)):
        task.require_doable()
    assert (TaskKind.ACCOUNT in due) is (mode in AT_WORK)


@pytest.mark.parametrize("role", Role)
def test_a_task_belongs_to_a_role_that_writes(role: Role) -> None:
    task = OnboardingTask(engagement_id=uuid4(), kind=TaskKind.ACCOUNT, title="x", owner_role=role, due_on=START)
    if role not in (Role.AUDITOR, Role.DASHBOARD):
        task.require_doable()
        return
    with pytest.raises(Invalid, match=role):
        task.require_doable()
