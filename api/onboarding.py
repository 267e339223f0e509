"""/v1/…: onboarding."""

from fastapi import APIRouter

router = APIRouter(tags=["onboarding"])
