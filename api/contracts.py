"""/v1/…: contracts."""

from fastapi import APIRouter

router = APIRouter(tags=["contracts"])
