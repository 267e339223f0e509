"""Programmes: work that at least two managers of the client stand behind, on a charter with objectives in figures."""

from models.programmes.charters import Charter, Objective
from models.programmes.programmes import Programme, ProgrammeStanding, ProgrammeStatus, programme_standing
from models.programmes.sponsors import SponsorCommitment, committed_sponsors, sponsor_count

__all__ = [
    "Charter",
    "Objective",
    "Programme",
    "ProgrammeStanding",
    "ProgrammeStatus",
    "SponsorCommitment",
    "committed_sponsors",
    "programme_standing",
    "sponsor_count",
]
