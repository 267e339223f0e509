"""Every lifecycle allows and refuses what its table says; guards tell all that is unmet."""

from types import SimpleNamespace

import pytest

from models.errors import Conflict
from models.experts import EXPERT, Expert, ExpertFacts, ExpertStatus
from models.lifecycle import Lifecycle

LIFECYCLES: dict[str, Lifecycle] = {"expert": EXPERT}
PROVEN = ExpertFacts(claims=2, clients=2, failing_checks=[], checks=1, min_claims=2, min_clients=2)
FACTS = {"expert": PROVEN}
CASES = [
    (name, action, state)
    for name, lifecycle in LIFECYCLES.items()
    for action in lifecycle.moves
    for state in lifecycle.states
]


@pytest.mark.parametrize(("name", "action", "state"), CASES)
def test_every_move_is_allowed_or_refused(name: str, action: str, state: str) -> None:
    lifecycle, move = LIFECYCLES[name], LIFECYCLES[name].moves[action]
    row = SimpleNamespace(status=state, singular=lambda: name, id=None)
    if state in move.origins:
        lifecycle.move(action, row, FACTS[name])
        assert row.status == (move.reached or state)
    else:
        with pytest.raises(Conflict) as refused:
            lifecycle.move(action, row, FACTS[name])
        assert (refused.value.code, refused.value.unmet[0].rule) == ("wrong-state", "status")
        assert row.status == state


def test_a_guard_tells_everything_that_is_missing_at_once() -> None:
    expert = Expert(name="Ida", email="i@example.org", country="NL", status=ExpertStatus.IN_VETTING)
    nothing = ExpertFacts(claims=0, clients=0, failing_checks=["tax"], checks=0, min_claims=2, min_clients=2)
    with pytest.raises(Conflict) as refused:
        EXPERT.move("approve", expert, nothing)
    rules = [u.rule for u in refused.value.unmet]
    assert rules == ["verified-claims", "distinct-clients", "vetting-checks", "checks-in-force"]
    assert expert.status == ExpertStatus.IN_VETTING


def test_a_lifecycle_draws_itself() -> None:
    assert "  in_vetting --> approved: approve" in EXPERT.mermaid()


def test_a_row_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="colour"):
        Expert(name="Ida", colour="red")
