# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import threading
import time
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._http._auth import Authenticator
from ansible_collections.imageops.registry.plugins.module_utils._http._challenges import Challenge, parse_challenges
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import CATALOG, NOTHING, Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._token_server import Answer
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AuthenticationFailed,
    NotGranted,
    NoToken,
    ProtocolViolation,
    RateLimited,
    RegistryError,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD

REALM = "https://r.example/token"
BASIC = "Basic " + base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
PULL = Scopes.repository("a/b", "pull")
PUSH = Scopes.repository("a/b", "pull", "push")

# Challenges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], []),
        ([""], []),
        (['Basic realm="harbor"'], [("basic", {"realm": "harbor"})]),
        (["BASIC Realm=harbor"], [("basic", {"realm": "harbor"})]),
        (
            ['Bearer realm="https://h/tok?x=1",service="probe, svc"'],
            [("bearer", {"realm": "https://h/tok?x=1", "service": "probe, svc"})],
        ),
        (
            ['Bearer realm="r",service="s",scope="repository:a/b:pull,push repository:c/d:pull"'],
            [("bearer", {"realm": "r", "service": "s", "scope": "repository:a/b:pull,push repository:c/d:pull"})],
        ),
        (['Bearer realm="a\\"b\\\\c"'], [("bearer", {"realm": 'a"b\\c'})]),
        (['Bearer realm = "r" , service = "s"'], [("bearer", {"realm": "r", "service": "s"})]),
        (['Bearer realm="r",realm="second"'], [("bearer", {"realm": "r"})]),
        (['Bearer realm=""'], [("bearer", {"realm": ""})]),
        (['Negotiate, Basic realm="x"'], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (["Negotiate"], [("negotiate", {})]),
        (['Negotiate YII=, Basic realm="x"'], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (
            ['Basic realm="x", Bearer realm="r",service="s"'],
            [("basic", {"realm": "x"}), ("bearer", {"realm": "r", "service": "s"})],
        ),
        (
            ['Bearer realm="r",service="s", Basic realm="x"'],
            [("bearer", {"realm": "r", "service": "s"}), ("basic", {"realm": "x"})],
        ),
        (['Bearer realm="r"', 'Basic realm="x"'], [("bearer", {"realm": "r"}), ("basic", {"realm": "x"})]),
        (
            ['Digest qop="auth, auth-int", nonce=abc, Basic realm="x"'],
            [("digest", {"qop": "auth, auth-int", "nonce": "abc"}), ("basic", {"realm": "x"})],
        ),
        (['Bearer realm="r",,service="s"'], [("bearer", {"realm": "r", "service": "s"})]),
    ],
)
def test_challenges_of_the_corpus_are_read(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(headers) == [Challenge(scheme, parameters) for scheme, parameters in expected]


def test_a_comma_in_quotes_starts_no_challenge() -> None:
    (challenge,) = parse_challenges(['Bearer realm="r",service="x, Basic realm=y"'])
    assert challenge.parameters["service"] == "x, Basic realm=y"


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="unterminated',
        "=",
        ",,,,",
        "\x00",
        '"',
        "Bearer =",
        "Bearer realm=https://r/",
        "a" * 100000,
        'B r="' + "\\" * 100000,
        "Bearer " + "a=b," * 50000,
        ", " * 50000,
        "a " * 50000,
        'Bearer realm="x" ' * 5000,
    ],
)
def test_malformed_and_huge_challenges_neither_raise_nor_take_long(header: str) -> None:
    started = time.monotonic()
    parse_challenges([header])
    assert time.monotonic() - started < 1


# Scopes --------------------------------------------------------------------------------------------------------------


def test_scopes_are_equal_whatever_the_order() -> None:
    one = Scopes({"repository:a:": ("push", "pull"), "repository:b": ("pull",)})
    other = Scopes({"repository:b": ["pull"], "repository:a:": ["pull", "push", "pull"]})
    assert one == other and hash(one) == hash(other)
    assert one != PULL and one != "x"


def test_actions_are_merged_and_what_is_pushed_to_comes_first() -> None:
    scopes = Scopes.repository("a", "pull").union(Scopes.repository("z", "push")).union(Scopes.repository("z", "pull"))
    assert list(scopes) == ["repository:z:pull,push", "repository:a:pull"]
    assert str(scopes) == "repository:z:pull,push repository:a:pull"


def test_actions_are_in_a_fixed_order_unknown_ones_last() -> None:
    assert str(Scopes({"x:y": ("zap", "delete", "push", "pull", "*")})) == "x:y:pull,push,delete,*,zap"


def test_scopes_of_a_challenge_are_read_and_anything_else_passed_over() -> None:
    text = "repository:host:5000/a:pull repository(plugin):b:pull,,push registry:catalog:* nonsense a:b"
    assert sorted(Scopes.parse(text)) == [
        "registry:catalog:*",
        "repository(plugin):b:pull,push",
        "repository:host:5000/a:pull",
    ]
    assert Scopes.parse("") == NOTHING
    assert Scopes.parse("registry:catalog:*") == CATALOG


def test_a_wider_scope_covers_a_narrower_one_only() -> None:
    assert PUSH.covers(PULL) and PULL.covers(NOTHING) and PULL.covers(PULL)
    assert not PULL.covers(PUSH) and not PULL.covers(Scopes.repository("a", "pull"))


# Logging in ----------------------------------------------------------------------------------------------------------


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


def test_nothing_is_sent_before_a_challenge() -> None:
    server = TokenServer()
    assert Client(server).header(PULL) == ""
    assert Client(server).scheme == ""
    assert not server.requests


def test_a_bearer_challenge_gets_a_token_for_service_scopes_and_account() -> None:
    server = TokenServer()
    assert learned(server).header(PUSH) == "Bearer t1"
    url, headers = server.requests[0]
    assert url.startswith(REALM + "?")
    assert server.query() == [("service", "svc"), ("scope", "repository:a/b:pull,push"), ("account", "ci")]
    assert headers["Authorization"] == BASIC


def test_several_scopes_are_several_parameters_and_the_realms_own_query_is_kept() -> None:
    server = TokenServer()
    scopes = PUSH.union(Scopes.repository("0", "pull"))
    learned(server, f'Bearer realm="{REALM}?x=1"').header(scopes)
    assert server.requests[0][0].startswith(REALM + "?x=1&scope=")
    assert server.query()[:3] == [("x", "1"), ("scope", "repository:a/b:pull,push"), ("scope", "repository:0:pull")]


def test_an_anonymous_token_is_asked_for_without_login_and_account() -> None:
    server = TokenServer()
    assert learned(server, credential=ANONYMOUS).header(PULL) == "Bearer t1"
    assert "Authorization" not in server.requests[0][1]
    assert "account" not in dict(server.query())


def test_access_token_is_taken_where_there_is_no_token() -> None:
    assert learned(TokenServer({"access_token": "t2"})).header(PULL) == "Bearer t2"
    assert learned(TokenServer({"token": "t1", "access_token": "t2"})).header(PULL) == "Bearer t1"


def test_a_token_is_cached_per_set_of_scopes_and_serves_narrower_ones() -> None:
    server = TokenServer()
    found = learned(server)
    for scopes in (PUSH, PULL, PUSH, NOTHING):
        found.header(scopes)
    assert len(server.requests) == 1
    found.header(Scopes.repository("other", "pull"))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("lifetime", "usable"), [(300, 285), (None, 45), (0, 45), (-5, 45), ("300", 45), (True, 45), (60, 45)]
)
def test_a_token_is_renewed_before_its_end(lifetime: object, usable: float) -> None:
    server = TokenServer({"token": "t1", "expires_in": lifetime}, {"token": "t2", "expires_in": 300})
    found = learned(server)
    assert found.header(PULL) == "Bearer t1"
    server.now += usable - 0.1
    assert found.header(PULL) == "Bearer t1"
    server.now += 0.2
    assert found.header(PULL) == "Bearer t2"


@pytest.mark.parametrize("text", [b"1e999", b"1" + b"0" * 400, b"NaN", b"-Infinity"])
def test_an_absurd_lifetime_is_bounded(text: bytes) -> None:
    server = TokenServer(b'{"token":"t1","expires_in":' + text + b"}", {"token": "t2"})
    found = learned(server)
    assert found.header(PULL) == "Bearer t1"
    assert found.header(PULL) == "Bearer t1"
    server.now += 24 * 3600
    assert found.header(PULL) == "Bearer t2"


def test_only_the_refused_token_is_forgotten() -> None:
    server = TokenServer({"token": "t1", "expires_in": 300}, {"token": "t2", "expires_in": 300})
    found = learned(server)
    refused = found.header(PULL)
    found.forget(refused)
    assert found.header(PULL) == "Bearer t2"
    # Another thread comes late with the 401 for the old token.
    found.forget(refused)
    found.forget("")
    assert found.header(PULL) == "Bearer t2"
    assert len(server.requests) == 2


def test_sixteen_threads_ask_for_one_token_once() -> None:
    server = TokenServer()
    found = learned(server)
    barrier = threading.Barrier(16)
    headers: list[str] = []

    def work() -> None:
        barrier.wait(10)
        headers.append(found.header(PUSH))

    threads = [threading.Thread(target=work) for _number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert headers == ["Bearer t1"] * 16
    assert len(server.requests) == 1


def test_a_basic_challenge_gets_the_password_of_utf_8() -> None:
    server = TokenServer()
    assert learned(server, 'Basic realm="x"').header(PULL) == BASIC
    german = learned(server, 'Basic realm="x"', credential=Credential("\u00fcser", "p\u00e4ss:w"))
    assert base64.b64decode(german.header(PULL)[6:]).decode() == "\u00fcser:p\u00e4ss:w"
    assert not server.requests


def test_bearer_is_preferred_to_basic() -> None:
    for header in (f'Basic realm="x", Bearer realm="{REALM}"', f'Bearer realm="{REALM}", Basic realm="x"'):
        assert learned(TokenServer(), header).scheme == "bearer"


def test_basic_is_used_where_it_is_offered_beside_unknown_schemes() -> None:
    assert learned(TokenServer(), 'Negotiate, Basic realm="x"').header(PULL) == BASIC


def test_a_known_token_server_is_kept_where_harbor_switches_to_basic() -> None:
    found = learned(TokenServer())
    assert found.learn('Basic realm="harbor"') == NOTHING
    assert found.scheme == "bearer"
    assert found.header(PULL) == "Bearer t1"


def test_a_challenge_returns_the_scopes_that_it_names() -> None:
    found = Client(TokenServer())
    assert found.learn(f'Bearer realm="{REALM}",scope="repository:a/b:pull,push"') == PUSH


def test_an_anonymous_user_is_told_that_basic_needs_a_login() -> None:
    with pytest.raises(AuthenticationFailed, match="Give username and password"):
        learned(TokenServer(), 'Basic realm="x"', credential=ANONYMOUS)


@pytest.mark.parametrize(
    "header", ["Negotiate", 'Digest realm="x"', "", "Bearer", 'Bearer service="x"', 'Bearer realm=""']
)
def test_no_way_to_log_in_is_an_error_that_names_the_schemes(header: str) -> None:
    with pytest.raises(AuthenticationFailed, match="no way to log in"):
        learned(TokenServer(), header)


def test_a_token_option_is_sent_as_it_is_and_never_exchanged() -> None:
    server = TokenServer()
    found = Client(server, Credential(token="tok"))
    assert found.header(PULL) == "Bearer tok"
    found.learn('Bearer realm="https://evil.example/"')
    found.learn('Basic realm="x"')
    assert found.header(PULL) == "Bearer tok"
    assert not server.requests


# Identity tokens, and token servers that take POST -------------------------------------------------------------------

IDENTITY = Credential(identity_token="identity-token", source="the entry 'r.example' of the auth file /f")
FORM = "application/x-www-form-urlencoded"


def test_an_identity_token_is_exchanged_by_post_and_never_in_the_url() -> None:
    server = TokenServer({"access_token": "t2", "token": "t1"})
    scopes = PUSH.union(Scopes.repository("0", "pull"))
    assert learned(server, credential=IDENTITY).header(scopes) == "Bearer t2"
    ((url, headers),) = server.requests
    assert url == REALM and headers["Content-Type"] == FORM and "Authorization" not in headers
    assert server.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "identity-token",
            "service": "svc",
            "client_id": "imageops.registry",
            "scope": "repository:a/b:pull,push repository:0:pull",
        }
    ]


def test_a_new_identity_token_takes_the_place_of_the_old_one() -> None:
    server = TokenServer({"access_token": "t1", "refresh_token": "second"}, {"access_token": "t2"})
    secrets: list[str] = []
    found = learned(server, credential=IDENTITY, on_secret=secrets.append)
    for number, scopes in enumerate((PULL, Scopes.repository("c", "pull"), Scopes.repository("d", "pull"))):
        found.header(scopes)
        form = server.forms[number]
        assert form is not None and form["refresh_token"] == ("second" if number else "identity-token")
    assert secrets == ["t1", "second", "t2", "t2"]


def test_threads_use_every_identity_token_once() -> None:
    valid = ["identity-token"]
    failures: list[AuthenticationFailed] = []
    barrier = threading.Barrier(8)
    taking = threading.Lock()

    def rotate(url: str, headers: t.Mapping[str, str], body: bytes | None) -> Answer:
        sent = dict(urllib.parse.parse_qsl((body or b"").decode()))["refresh_token"]
        # The others have the time to send the same one.
        time.sleep(0.02)
        with taking:
            if sent != valid[-1]:
                return Answer(401, b"{}")
            valid.append(f"identity-{len(valid)}")
            return Answer(200, json.dumps({"access_token": "t", "refresh_token": valid[-1]}).encode())

    authenticator = Authenticator("r.example", True, rotate)
    authenticator.learn(parse_challenges([f'Bearer realm="{REALM}"']), IDENTITY)

    def work(number: int) -> None:
        barrier.wait(10)
        try:
            authenticator.header(IDENTITY, Scopes.repository(str(number), "pull"))
        except AuthenticationFailed as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (failures, len(valid)) == ([], 9)


@pytest.mark.parametrize("given", ["", 7, "a b", "a\nb", None])
def test_a_new_identity_token_that_is_none_is_passed_over(given: object) -> None:
    server = TokenServer({"access_token": "t1", "refresh_token": given})
    found = learned(server, credential=IDENTITY)
    for scopes in (PULL, Scopes.repository("c", "pull")):
        found.header(scopes)
    assert [form and form["refresh_token"] for form in server.forms] == ["identity-token"] * 2


def test_a_refused_identity_token_is_named_by_where_it_was_found() -> None:
    with pytest.raises(AuthenticationFailed, match="doesn't accept the credential of the entry 'r.example'") as caught:
        learned(TokenServer(Answer(401, b"")), credential=IDENTITY).header(PULL)
    assert caught.value.method == "POST" and "identity-token" not in str(caught.value)


def test_an_identity_token_is_not_sent_to_another_host_nor_as_a_password() -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="trusted_realm_hosts"):
        learned(server, 'Bearer realm="https://evil.example/"', credential=IDENTITY).header(PULL)
    with pytest.raises(
        AuthenticationFailed, match="asks for a user name and password, and the credential of the entry"
    ):
        learned(server, 'Basic realm="x"', credential=IDENTITY)
    assert not server.requests


def test_a_token_server_without_get_is_sent_the_password_in_a_form() -> None:
    server = TokenServer(Answer(405, b""), {"access_token": "t1", "refresh_token": "not-used"}, {"access_token": "t2"})
    found = learned(server)
    assert found.header(PULL) == "Bearer t1"
    assert found.header(Scopes.repository("c", "pull")) == "Bearer t2"
    assert [form is None for form in server.forms] == [True, False, False]
    assert server.forms[1] == {
        "grant_type": "password",
        "username": "ci",
        "password": PASSWORD,
        "service": "svc",
        "client_id": "imageops.registry",
        "scope": "repository:a/b:pull",
    }
    assert [url for url, _headers in server.requests[1:]] == [REALM, REALM]


def test_a_token_server_without_get_has_nothing_for_the_anonymous() -> None:
    server = TokenServer(Answer(405, b""))
    with pytest.raises(RegistryError, match="gave no token"):
        learned(server, credential=ANONYMOUS).header(PULL)
    assert server.forms == [None]


# Several accounts ----------------------------------------------------------------------------------------------------


def test_each_credential_has_its_own_tokens() -> None:
    server = TokenServer(*({"token": f"t{number}", "expires_in": 300} for number in range(1, 5)))
    found = learned(server).authenticator
    other = Credential("other", PASSWORD)
    for _time in range(2):
        assert found.header(LOGIN, PUSH) == "Bearer t1"
        assert found.header(other, PULL) == "Bearer t2"
        assert found.header(ANONYMOUS, PULL) == "Bearer t3"
    assert len(server.requests) == 3


def test_one_challenge_serves_all_credentials_that_can_be_used() -> None:
    found = learned(TokenServer(), 'Basic realm="x"').authenticator
    assert found.header(LOGIN, PULL) == BASIC
    assert found.header(Credential(token="tok"), PULL) == "Bearer tok"
    assert found.header(ANONYMOUS, PULL) == ""


def test_scopes_belong_to_the_repository_that_is_pushed_to() -> None:
    mount = Scopes.repository("a/b", "pull").union(Scopes.repository("z:5/c", "pull", "push"))
    assert mount.main_repository == "z:5/c"
    assert CATALOG.main_repository == NOTHING.main_repository == ""


# Whom the password is given to ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "realm",
    [
        "null://r.example/v2/token",
        "r.example/token",
        "?x=1",
        "//ci@r.example/token",
        "/a b",
        "/token#x",
        "ftp://r.example/",
        "https:///token",
        "https://ci@r.example/token",
        "https://r.example\\\\@evil.example/",
        "https://r.example/a b",
        "https://r.example:x/",
        "https://[::1/",
        "https://r.example/#x",
    ],
)
def test_a_realm_that_is_no_safe_url_is_refused(realm: str) -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="no valid URL"):
        learned(server, f'Bearer realm="{realm}"')
    assert not server.requests


@pytest.mark.parametrize(
    ("realm", "url"),
    [
        ("/token", "https://r.example:5000/token"),
        ("/service/token?x=1", "https://r.example:5000/service/token?x=1"),
        ("token", "https://r.example:5000/token"),
        ("./token", "https://r.example:5000/token"),
        ("//r.example:5001/token", "https://r.example:5001/token"),
    ],
)
def test_a_relative_realm_is_below_the_registry(realm: str, url: str) -> None:
    server = TokenServer()
    client = learned(server, f'Bearer realm="{realm}"', base="https://r.example:5000")
    client.header(PULL)
    (asked,) = [request[0] for request in server.requests]
    assert asked.partition("scope=")[0][:-1] == url


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.example/token",
        "https://r.example.evil.example/",
        "https://evilr.example/",
        "//evil.example/token",
    ],
)
def test_the_password_is_not_sent_to_a_token_server_on_another_host(realm: str) -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="trusted_realm_hosts") as caught:
        learned(server, f'Bearer realm="{realm}"').header(PULL)
    assert PASSWORD not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize("realm", ["https://Auth.Example/token", "https://auth.example:8443/token"])
def test_a_trusted_realm_host_gets_the_password(realm: str) -> None:
    server = TokenServer()
    learned(server, f'Bearer realm="{realm}"', trusted_realm_hosts=("AUTH.example",)).header(PULL)
    assert server.requests[0][1]["Authorization"] == BASIC


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("registry-1.docker.io", "https://auth.docker.io/token"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("registry.redhat.io", "https://sso.redhat.com/x"),
    ],
)
def test_token_servers_of_public_registries_are_known(host: str, realm: str) -> None:
    assert learned(TokenServer(), f'Bearer realm="{realm}"', host=host).header(PULL) == "Bearer t1"


def test_the_known_token_server_of_one_registry_is_foreign_to_another() -> None:
    with pytest.raises(ProtocolViolation):
        learned(TokenServer(), 'Bearer realm="https://auth.docker.io/token"').header(PULL)


def test_the_registrys_own_host_on_another_port_is_allowed() -> None:
    assert learned(TokenServer(), 'Bearer realm="https://R.example:8443/token"').header(PULL) == "Bearer t1"


@pytest.mark.parametrize("credential", [LOGIN, ANONYMOUS])
def test_a_realm_without_tls_is_refused_behind_a_registry_with_tls(credential: Credential) -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="without TLS"):
        learned(server, 'Bearer realm="http://r.example/token"', credential=credential)
    assert not server.requests


def test_a_realm_without_tls_is_allowed_where_the_registry_has_none() -> None:
    assert learned(TokenServer(), 'Bearer realm="http://r.example/token"', secure=False).header(PULL) == "Bearer t1"


def test_an_anonymous_token_may_come_from_another_host_but_not_from_a_local_address() -> None:
    assert (
        learned(TokenServer(), 'Bearer realm="https://auth.example/"', credential=ANONYMOUS).header(PULL) == "Bearer t1"
    )
    for host in ("169.254.169.254", "127.0.0.1", "[::1]", "localhost", "2130706433"):
        with pytest.raises(ProtocolViolation, match="local address"):
            learned(TokenServer(), f'Bearer realm="https://{host}/"', credential=ANONYMOUS)


# What token servers answer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "scopes"), [(400, PULL), (401, PULL), (403, NOTHING)])
def test_a_refused_password_is_named_as_the_reason(status: int, scopes: Scopes) -> None:
    with pytest.raises(AuthenticationFailed, match="doesn't accept the user name and password") as caught:
        learned(TokenServer(Answer(status, b"{}"))).header(scopes)
    assert caught.value.url == REALM and caught.value.status == status
    with pytest.raises(AuthenticationFailed, match="doesn't accept anonymous access"):
        learned(TokenServer(Answer(status, b"{}")), credential=ANONYMOUS).header(scopes)


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        (LOGIN, "the user name and password .*Check username and password, or the auth_file, and the account's rights"),
        (ANONYMOUS, "anonymous access .*Give username and password, or an auth_file"),
        (ANONYMOUS._replace(advice="The file has no entry"), "anonymous access .*The file has no entry"),
    ],
)
def test_a_403_of_the_token_server_is_about_what_was_asked_for(credential: Credential, said: str) -> None:
    with pytest.raises(NotGranted, match=f"doesn't grant repository:a/b:pull to {said}") as caught:
        learned(TokenServer(Answer(403, b"{}")), credential=credential).header(PULL)
    assert (caught.value.url, caught.value.status) == (REALM, 403)


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (500, NoToken), (503, NoToken)])
def test_a_busy_token_server_is_a_temporary_error(status: int, kind: type[RegistryError]) -> None:
    with pytest.raises(kind, match="gave no token") as caught:
        learned(TokenServer(Answer(status, b"{}", is_throttled=status == 429))).header(PULL)
    assert caught.value.__class__ is kind and caught.value.temporary
    assert (caught.value.url, caught.value.status) == (REALM, status)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_status_gives_no_token(status: int) -> None:
    with pytest.raises(RegistryError, match="gave no token"):
        learned(TokenServer(Answer(status, b"{}"))).header(PULL)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 200000,
        b"{}",
        b'{"token":""}',
        b'{"token":7}',
        b'{"token":["a"]}',
        b'{"token":"a b"}',
        b'{"token":"a\\r\\nX-Evil: 1"}',
        b'{"token":"\\u00e4"}',
        b'{"token":"' + b"a" * 262145 + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_an_answer_without_a_token_that_a_header_can_carry_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="token server's answer"):
        learned(TokenServer(body)).header(PULL)


def test_a_token_is_reported_as_a_secret() -> None:
    secrets: list[str] = []
    learned(TokenServer(), on_secret=secrets.append).header(PULL)
    assert secrets == ["t1"]


def test_neither_password_nor_token_nor_query_is_in_an_error() -> None:
    for answer in (Answer(401, PASSWORD.encode()), Answer(500, b"t1"), b'{"token": "x y"}'):
        with pytest.raises(RegistryError) as caught:
            learned(TokenServer(answer), f'Bearer realm="{REALM}?k=secret-part"').header(PULL)
        shown = f"{caught.value!s} {caught.value!r} {caught.value.facts()}"
        assert PASSWORD not in shown and "secret-part" not in shown and "x y" not in shown
