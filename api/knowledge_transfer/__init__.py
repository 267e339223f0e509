"""Knowledge transfer on the wire: topics and assessments, milestones and progress, the handover certificate."""

from fastapi import APIRouter

from api.knowledge_transfer import handover, milestones, topics

router = APIRouter()
for part in (topics, milestones, handover):
    router.include_router(part.router)
