"""The authorization request: checked, put to the person, and answered with a code or a refusal."""

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import InvalidScopeError, OAuth2Error
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.oauth.browser import SignedIn, Visit, form_of, start_again, visit_of
from api.oauth.pages import message, page
from api.oauth.parameters import Asked
from api.oauth.server import Server, with_server
from api.oauth.sign_in import sign_in_page
from models.oauth import OAuthGrant
from models.organisations import Organisation, organisations_of
from models.policy import SCOPES, useful_scopes

router = APIRouter()

# The organisations to choose from, by slug, each with the roles held there.
Choices = dict[str, tuple[Organisation, list[str]]]


@router.get("/authorize")
async def authorize(request: Request) -> Response:
    """RFC 6749 §4.1.1: check the request, then ask who it is, then ask for consent."""
    visit = await visit_of(request)
    try:
        asked = _asked(request)
        choices = await with_server(request.app, lambda server: _check(server, asked, visit.who))
    except OAuth2Error as error:
        return _refused(request, error)
    if visit.who is None:
        return sign_in_page(request, visit, request.url.query)
    if not choices:
        return message("No organisation", 403, "None of your organisations uses this application: ask your admin.")
    return _consent_page(request, visit, asked, choices)


@router.post("/authorize")
async def decide(request: Request) -> Response:
    """The person's decision: a code for the client, bound to the chosen organisation, or a refusal."""
    form, visit = await form_of(request), await visit_of(request)
    who = visit.who
    if who is None or not visit.sent(request, form):
        return start_again()
    try:
        asked = _asked(request)
        answer = await with_server(request.app, lambda server: _answer(server, asked, who, form))
    except OAuth2Error as error:
        return _refused(request, error)
    return _send_back(request, answer.headers["location"])


def _check(server: Server, asked: Asked, who: SignedIn | None) -> Choices:
    """Check the request, and find what whoever signed in may choose."""
    server.get_consent_grant(asked)
    return _choices(server, asked, who) if who else {}


def _answer(server: Server, asked: Asked, who: SignedIn, form: dict[str, str]) -> Response:
    """The protocol's answer: a code, or access_denied for a person who refused, or who has no such organisation."""
    checked = server.get_consent_grant(asked)
    chosen = _choices(server, asked, who).get(form.get("organisation", ""))
    if chosen is None or form.get("decision") != "allow":
        return server.create_authorization_response(asked, grant_user=None, grant=checked)  # type: ignore[no-any-return]
    server.open_grant(_grant(asked, who, *chosen))
    return server.create_authorization_response(asked, grant_user=who.account, grant=checked)  # type: ignore[no-any-return]


def _choices(server: Server, asked: Asked, who: SignedIn) -> Choices:
    found = server.session.execute(organisations_of(who.account.id, asked.client.tenant_id)).all()
    return {organisation.slug: (organisation, roles) for organisation, roles in found}


def _grant(asked: Asked, who: SignedIn, organisation: Organisation, roles: list[str]) -> OAuthGrant:
    """What was consented to, as far as it could ever be of use. Raises InvalidScopeError when nothing is."""
    useful = useful_scopes(roles)
    scope = " ".join(name for name in asked.scope.split() if name in useful)
    if not scope:
        why = "None of these scopes is of use to the roles held in that organisation."
        raise InvalidScopeError(why, state=asked.payload.state, redirect_uri=asked.payload.redirect_uri)
    return OAuthGrant(
        client_id=asked.client.client_id,
        account_id=who.account.id,
        tenant_id=organisation.id,
        scope=scope,
        auth_time=who.at,
    )


def _consent_page(request: Request, visit: Visit, asked: Asked, choices: Choices) -> Response:
    wished = asked.payload.data.get("organisation")
    useful = {scope for _, roles in choices.values() for scope in useful_scopes(roles)}
    return page(
        "consent.html",
        "Allow access?",
        leads_to=asked.payload.redirect_uri,
        client=asked.client.name,
        account=visit.who and visit.who.account,
        csrf=visit.csrf,
        query=request.url.query,
        organisations=[organisation for organisation, _ in choices.values()],
        preselected=wished if wished in choices else next(iter(choices)),
        scopes=[SCOPES[name] for name in asked.scope.split() if name in useful],
    )


def _asked(request: Request) -> Asked:
    return Asked("GET", f"{request.app.state.settings.issuer}/authorize", request.headers, request.url.query)


def _refused(request: Request, error: OAuth2Error) -> Response:
    """A refusal goes back to the client or, where its address is in doubt, to the person alone (RFC 6749 §4.1.2.1)."""
    if error.redirect_uri is None:
        why = error.get_error_description()
        return message("This application cannot sign you in", 400, f"It asked in a way that does not hold. {why}")
    _, _, headers = error()
    return _send_back(request, dict(headers)["Location"])


def _send_back(request: Request, location: str) -> Response:
    """To the client, naming the issuer (RFC 9207). 303, so that no form is ever sent on."""
    return RedirectResponse(add_params_to_uri(location, [("iss", request.app.state.settings.issuer)]), 303)
