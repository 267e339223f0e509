"""/v1/…: programmes."""

from fastapi import APIRouter

router = APIRouter(tags=["programmes"])
