# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token server that answers what a test says, and an authenticator that asks it."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._http._auth import Authenticator
from ansible_collections.imageops.registry.plugins.module_utils._http._challenges import parse_challenges
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._token_server import Answer
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN

REALM = "https://r.example/token"
IDENTITY = Credential(identity_token="identity-token", source="the entry 'r.example' of the auth file /f")
FORM = "application/x-www-form-urlencoded"


class TokenServer:
    """Answers token requests from a list; the last answer again and again."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers) or [{"token": "t1", "expires_in": 300}]
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.forms: list[dict[str, str] | None] = []
        self.now = 1000.0

    def __call__(self, url: str, headers: t.Mapping[str, str], body: bytes | None) -> Answer:
        self.requests.append((url, dict(headers)))
        self.forms.append(None if body is None else dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Answer):
            return answer
        return Answer(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def query(self, number: int = -1) -> list[tuple[str, str]]:
        return urllib.parse.parse_qsl(urllib.parse.urlsplit(self.requests[number][0]).query)

    def clock(self) -> float:
        return self.now


class Client:
    """An authenticator with one credential."""

    def __init__(
        self,
        server: TokenServer,
        credential: Credential = LOGIN,
        host: str = "r.example",
        secure: bool = True,
        **options: t.Any,
    ) -> None:
        self.credential = credential
        self.authenticator = Authenticator(host, secure, server, clock=server.clock, **options)
        self.forget = self.authenticator.forget

    @property
    def scheme(self) -> str:
        return self.authenticator.scheme

    def header(self, scopes: Scopes) -> str:
        return self.authenticator.header(self.credential, scopes)

    def learn(self, *headers: str) -> Scopes:
        return self.authenticator.learn(parse_challenges(headers), self.credential)


def learned(server: TokenServer, header: str = f'Bearer realm="{REALM}",service="svc"', **options: t.Any) -> Client:
    found = Client(server, **options)
    found.learn(header)
    return found
