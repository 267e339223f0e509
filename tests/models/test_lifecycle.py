"""Every lifecycle allows and refuses what its table says; guards tell all that is unmet."""

from types import SimpleNamespace
from typing import Any

import pytest

from models.errors import Conflict
from models.experts import EXPERT, Expert, ExpertFacts, ExpertStatus
from models.lifecycle import Lifecycle
from models.policy import RULES
from tests.reference import lifecycles

LIFECYCLES = lifecycles()
CASES = [
    (name, action, state)
    for name, lifecycle in LIFECYCLES.items()
    for action in lifecycle.moves
    for state in lifecycle.states
]


def content(lifecycle: Lifecycle[Any]) -> Lifecycle[Any]:
    """The same table with every guard content: what a guard asks is tested where its facts are at home."""
    return Lifecycle(
        lifecycle.states, {action: (move.origins, move.reached) for action, move in lifecycle.moves.items()}
    )


@pytest.mark.parametrize(("name", "action", "state"), CASES)
def test_every_move_is_allowed_or_refused(name: str, action: str, state: str) -> None:
    lifecycle, move = LIFECYCLES[name], LIFECYCLES[name].moves[action]
    row = SimpleNamespace(status=state, singular=lambda: name, id=None)
    if state in move.origins:
        content(lifecycle).move(action, row)
        assert row.status == (move.reached or state)
    else:
        with pytest.raises(Conflict) as refused:
            lifecycle.move(action, row)
        assert (refused.value.code, refused.value.unmet[0].rule) == ("wrong-state", "status")
        assert row.status == state


@pytest.mark.parametrize("name", [name for name in LIFECYCLES if f"get_{name}_transitions" in RULES])
def test_every_action_that_is_told_is_an_operation(name: str) -> None:
    """GET …/transitions judges each action by the rule of its operation."""
    assert {f"{action.replace('-', '_')}_{name}" for action in LIFECYCLES[name].moves} <= RULES.keys()


def test_a_guard_tells_everything_that_is_missing_at_once() -> None:
    expert = Expert(name="Ida", email="i@example.org", country="NL", status=ExpertStatus.IN_VETTING)
    nothing = ExpertFacts(claims=0, clients=0, failing_checks=["tax"], checks=0, min_claims=2, min_clients=2)
    with pytest.raises(Conflict) as refused:
        EXPERT.move("approve", expert, nothing)
    rules = [u.rule for u in refused.value.unmet]
    assert rules == ["verified-claims", "distinct-clients", "vetting-checks", "checks-in-force"]
    assert expert.status == ExpertStatus.IN_VETTING


def test_a_row_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="colour"):
        Expert(name="Ida", colour="red")
