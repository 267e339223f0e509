"""Why a request is refused. `api/problems.py` alone turns each class into an HTTP status.

Refusal
├── Unauthenticated   no valid token
├── Forbidden         a scope, a role or a rule stands in the way
├── Missing           not there, or not for the caller's eyes
├── Conflict          the state of things does not allow it; carries `unmet`
├── Invalid           the input makes no sense; carries `errors`
├── Stale             the object changed since the caller read it
├── Unconditional     the caller did not say what it read
├── TooMany           asked too often
└── Unavailable       try again later
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Unmet:
    """One rule that stands in the way: what it needs, what it found, and which objects it looked at.

    `needed` and `actual` are JSON values; `refs` are paths below `/v1` that a caller may open to mend it.
    """

    rule: str
    needed: Any
    actual: Any
    refs: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Refusal(Exception):
    """A rule said no. `code` is a kebab-case fact, `detail` names the thing and the way out."""

    def __init__(
        self, code: str, detail: str, *, unmet: Sequence[Unmet] = (), errors: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.unmet, self.errors = code, detail, list(unmet), list(errors)


class Unauthenticated(Refusal): ...


class Forbidden(Refusal):
    """`scope` is what the token lacks, when that is the reason."""

    def __init__(self, code: str, detail: str, *, scope: str | None = None, unmet: Sequence[Unmet] = ()) -> None:
        super().__init__(code, detail, unmet=unmet)
        self.scope = scope


class Missing(Refusal): ...


class Conflict(Refusal): ...


class Invalid(Refusal): ...


class Stale(Refusal): ...


class Unconditional(Refusal): ...


class TooMany(Refusal):
    def __init__(self, code: str, detail: str, *, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Unavailable(Refusal): ...
