"""Knowledge transfer on the wire: topics and assessments, milestones and progress, the handover certificate."""

from api.knowledge_transfer import handover, milestones, topics

PARTS = (topics, milestones, handover)
