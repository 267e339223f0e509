"""What a request to the authorization server says, read so that no part of it can be understood in two ways."""

import re
from collections import defaultdict
from collections.abc import Mapping
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload, OAuth2Request

# Any other is ignored (RFC 6749 §3.1).
KNOWN = {
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "organisation",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "scope",
    "state",
    "token",
    "token_type_hint",
}
# RFC 6749 appendix A. Authlib quotes what it was given in its refusals, and fails on any character beyond these.
PLAIN = re.compile(r"[ !#-\[\]-~]+")
MOST = 100


class Parameters(OAuth2Payload):  # type: ignore[misc]
    """The known parameters of a query or a form; one without a value counts as left out.

    Raises InvalidRequestError for one given twice, for characters it cannot have, and for more than anybody needs.
    """

    def __init__(self, text: str) -> None:
        self._data: dict[str, str] = {}
        for name, value in _pairs(text):
            if name not in KNOWN:
                continue
            if name in self._data:
                raise InvalidRequestError(f"The parameter {name} is given more than once.")
            # The state is the client's own affair, and goes back as it came.
            if name != "state" and not PLAIN.fullmatch(value):
                raise InvalidRequestError(f"The parameter {name} holds characters that it cannot have.")
            self._data[name] = value

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(list, {name: [value] for name, value in self._data.items()})


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, max_num_fields=MOST)
    except ValueError:
        raise InvalidRequestError("There are too many parameters.") from None


class Asked(OAuth2Request):  # type: ignore[misc]
    """A buffered request. A POST brings its parameters in the body only: secrets in a query count for nothing."""

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], parameters: str) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = Parameters(parameters)

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data if self.method == "POST" else {}
