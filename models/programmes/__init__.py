"""Programmes: work that at least two managers of the client stand behind, on a charter with objectives in figures."""

from models.programmes.charters import Charter, Objective, charter_means
from models.programmes.programmes import (
    Programme,
    ProgrammeStanding,
    ProgrammeStatus,
    champions,
    leads,
    programme_standing,
)
from models.programmes.sponsors import SponsorCommitment, sponsors

__all__ = [
    "Charter",
    "Objective",
    "Programme",
    "ProgrammeStanding",
    "ProgrammeStatus",
    "SponsorCommitment",
    "champions",
    "charter_means",
    "leads",
    "programme_standing",
    "sponsors",
]
