"""The authorization server: who signs in, what they grant, and the tokens that say so (RFC 6749, 7636, 9068, 9700)."""

from fastapi import APIRouter

from api.oauth import consent, endpoints, pages, sign_in

router = APIRouter(include_in_schema=False)
for part in (endpoints, consent, sign_in, pages):
    router.include_router(part.router)
