"""A state machine is a table of data: action -> (from states, to state, guard).

Actions are spelled as their URL segment (`start-onboarding`), so a caller may POST to what it reads.

The same table enforces moves, answers `GET …/transitions`, draws the diagram in openapi/lifecycles.md and
parametrises its own test.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from models.errors import Conflict, Unmet

S = TypeVar("S", bound=StrEnum)


class HasStatus(Protocol):
    status: Any

    @classmethod
    def singular(cls) -> str: ...


Guard = Callable[[Any, Any], Iterable[Unmet]]


@dataclass(frozen=True)
class Move(Generic[S]):
    """One action: the states it starts from, the state it reaches, and the guard that lists what is unmet.

    A guard is `(row, facts) -> iterable of Unmet`; facts are whatever the area gathers for its rules. `reached` is None
    when the action leaves the status as it is.
    """

    origins: frozenset[S]
    reached: S | None
    guard: Guard | None = None


@dataclass(frozen=True)
class Transition:
    """Whether an action may be taken now, and if not, every rule in the way."""

    action: str
    allowed: bool
    unmet: list[Unmet]


class Lifecycle(Generic[S]):
    def __init__(
        self, states: type[S], moves: Mapping[str, tuple[set[S], S | None] | tuple[set[S], S | None, Guard]]
    ) -> None:
        self.states = states
        self.moves = {action: Move(frozenset(move[0]), *move[1:]) for action, move in moves.items()}

    def actions(self, status: S) -> list[str]:
        return [action for action, move in self.moves.items() if status in move.origins]

    def unmet(self, action: str, row: HasStatus, facts: Any = None) -> list[Unmet]:
        """Every rule in the way of the action. A wrong state hides the guard: its facts would mislead."""
        move = self.moves[action]
        if row.status not in move.origins:
            return [Unmet("status", sorted(move.origins), str(row.status))]
        return list(move.guard(row, facts)) if move.guard else []

    def transitions(self, row: HasStatus, facts: Any = None) -> list[Transition]:
        found = ((action, self.unmet(action, row, facts)) for action in self.moves)
        return [Transition(action, not unmet, unmet) for action, unmet in found]

    def require(self, action: str, row: HasStatus, facts: Any = None) -> None:
        """Raise Conflict with every unmet rule, or return if the action may be taken."""
        unmet = self.unmet(action, row, facts)
        if not unmet:
            return
        name = row.singular().replace("_", " ")
        if unmet[0].rule == "status":
            may = ", ".join(self.actions(row.status)) or "nothing"
            detail = f"Cannot {action} a {name} that is {row.status}; from here: {may}."
            raise Conflict("wrong-state", detail, unmet=unmet)
        rules = ", ".join(dict.fromkeys(u.rule for u in unmet))
        raise Conflict(
            f"cannot-{action}",
            f"The {name} does not meet: {rules}. See unmet for what each rule needs.",
            unmet=unmet,
        )

    def move(self, action: str, row: HasStatus, facts: Any = None) -> None:
        """Take the action: raise Conflict, or set the row's status to what the table says."""
        self.require(action, row, facts)
        if (reached := self.moves[action].reached) is not None:
            row.status = reached

    def mermaid(self) -> str:
        """The diagram of this lifecycle, in mermaid's state diagram language."""
        arrows = [
            f"  {origin} --> {move.reached or origin}: {action}"
            for action, move in self.moves.items()
            for origin in sorted(move.origins)
        ]
        return "\n".join(["stateDiagram-v2", *arrows])
