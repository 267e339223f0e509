"""Knowledge transfer: an engagement ends when the client's own people can do the work without the expert."""

from models.knowledge_transfer.handover import HandoverCertificate, handover_standing
from models.knowledge_transfer.milestones import Milestone, ProgressEntry, planned_transfer
from models.knowledge_transfer.topics import Assessment, Topic, uncovered_topics

__all__ = [
    "Assessment",
    "HandoverCertificate",
    "Milestone",
    "ProgressEntry",
    "Topic",
    "handover_standing",
    "planned_transfer",
    "uncovered_topics",
]
