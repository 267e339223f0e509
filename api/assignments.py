"""/v1/…: assignments."""

from fastapi import APIRouter

router = APIRouter(tags=["assignments"])
