# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What GET ``/v2/`` says of a host: whether it is a registry, and whether it takes the login (end-1)."""

from __future__ import annotations

import typing as t

from .._http._challenges import parse_challenges
from .._http._scopes import NOTHING
from .._http._transport import Transport
from .._model._errors import TLSFailed, doing
from ._asking import Asker, is_of_api
from ._paths import API_PATH


class ApiCheck(t.NamedTuple):
    """The answer of ``/v2/``."""

    is_registry: bool
    needs_login: bool
    logged_in: bool
    schemes: tuple[str, ...]
    version_header: str
    credential_source: str = ""
    """Where the credential comes from, if one was looked for and found in a file or by a helper."""


def check_api(transport: Transport, asker: Asker, repository: str = "") -> ApiCheck:
    """end-1, GET ``/v2/``: is this a registry, does it need a login, and does it take the credential?

    The credential is that for ``repository``, or, where that is empty, for the registry. What is no registry is an
    answer. Raises :class:`AuthenticationFailed` or :class:`AccessDenied` where the credential is refused, and
    :class:`TLSFailed` where TLS is expected, and plain HTTP was spoken.
    """
    what = f"check the API of {transport.endpoint.registry}"
    anonymous = asker.ask_anonymously(what, API_PATH)
    schemes = tuple(
        dict.fromkeys(challenge.scheme for challenge in parse_challenges(anonymous.header_list("WWW-Authenticate")))
    )
    version = anonymous.headers.get("Docker-Distribution-Api-Version", "")
    problem = anonymous.error() if anonymous.status == 400 else None
    if isinstance(problem, TLSFailed):
        raise problem.within(what)
    needs_login = anonymous.status == 401
    if not is_of_api(anonymous) or (needs_login and not schemes):
        return ApiCheck(False, needs_login, False, schemes, version)
    if not needs_login:
        return ApiCheck(True, False, False, schemes, version)
    with doing(what):
        credential = transport.credential_for(repository)
        if credential.is_anonymous:
            return ApiCheck(True, True, False, schemes, version)
        transport.learn_from(anonymous, repository)
    response = asker.ask(what, "GET", API_PATH, NOTHING, repository=repository)
    if response.status != 200:
        raise response.error().within(what)
    return ApiCheck(True, True, True, schemes, version, credential.source)
