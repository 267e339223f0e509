"""The authorization server: who signs in, what they grant, and the tokens that say so (RFC 6749, 7636, 9068, 9700)."""

from fastapi import APIRouter

from api.oauth import endpoints, pages

router = APIRouter(include_in_schema=False)
router.include_router(endpoints.router)
router.include_router(pages.router)
