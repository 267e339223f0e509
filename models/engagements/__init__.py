"""Engagements: one expert for one programme, from draft to closed, and what each side says of it afterwards."""

from models.engagements.engagements import (
    ENDED,
    RUNNING,
    Engagement,
    EngagementMode,
    EngagementStatus,
    engagement_status,
    programme_of,
)
from models.engagements.evaluations import Evaluation

__all__ = [
    "ENDED",
    "RUNNING",
    "Engagement",
    "EngagementMode",
    "EngagementStatus",
    "Evaluation",
    "engagement_status",
    "programme_of",
]
