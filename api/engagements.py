"""/v1/…: engagements."""

from fastapi import APIRouter

router = APIRouter(tags=["engagements"])
