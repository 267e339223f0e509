"""/v1/…: confidentiality."""

from fastapi import APIRouter

router = APIRouter(tags=["confidentiality"])
