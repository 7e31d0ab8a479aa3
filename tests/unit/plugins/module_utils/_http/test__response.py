# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import types
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._secrets import Secrets
from ansible_collections.imageops.registry.plugins.module_utils._http._response import Response, retry_after
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ErrorDetail,
    NotFound,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    RepositoryMissing,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import errors, transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("no_collection")

PAGES = [
    (b"<html><head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center>", "the page '502 Bad Gateway'"),
    (
        b"\xef\xbb\xbf \n<!DOCTYPE HTML PUBLIC '-//IETF//DTD HTML 2.0//EN'><TITLE\nid=x>\n A &amp;\tB </TITLE>",
        "the page 'A & B'",
    ),
    (
        b"<!doctype html><style>a{b:c}</style><body><h1>Not&nbsp;here</h1><script>if (a<b) {}</script><p>Sorry.",
        "the page 'Not here Sorry.'",
    ),
    (b"<html><script>never ended <b>", "a page"),
    (b"<HTML>\x1b[31mred\xe2\x80\xae<b", "the page '[31mred'"),
    (b"<html>" + b"long " * 9999, "the page '" + ("long " * 40) + "'"),
]


def known(*texts: str) -> Secrets:
    """The secrets of a user."""
    secrets = Secrets()
    for text in texts:
        secrets.own(text)
    return secrets


def response(body: bytes, status: int) -> Response:
    raw: t.Any = types.SimpleNamespace(status=status, headers={})
    return Response("GET", "https://r.example/v2/x?s=secret", raw, body)


@pytest.mark.parametrize(("body", "said"), PAGES)
def test_a_page_in_html_is_told_by_its_title_without_markup(body: bytes, said: str) -> None:
    text = str(response(body, 418).error())
    assert text.startswith(f"{said} in HTML was answered, probably by something in front of the registry (GET https")
    assert not set("<>\x1b\u202e") & set(text)


@pytest.mark.parametrize(("body", "said"), PAGES)
def test_a_page_in_html_is_no_success(body: bytes, said: str) -> None:
    with pytest.raises(ProtocolViolation, match="login in the browser") as caught:
        response(body, 200).check_no_page()
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"not <html>", b"<htmlish>", b"<?xml version='1.0'?><Error/>", b"\x1f\x8b<html>"]
)
def test_what_is_no_page_is_left_alone(body: bytes) -> None:
    response(body, 200).check_no_page()
    assert "HTML" not in str(response(body, 418).error())


@pytest.mark.parametrize(
    ("status", "code", "detail", "hint"),
    [
        (
            500,
            "UNKNOWN",
            b'{"DriverName": "filesystem", "Enclosed": {"Op": "mkdir", "Path": "/x", "Err": 28}}',
            "is full",
        ),
        (507, "UNKNOWN", b'"write /x: no space left on device"', "is full"),
        (500, "UNKNOWN", b'{"Err": 281}', "its storage may be full"),
        (500, "MANIFEST_INVALID", b"null", "Its own log may say why"),
        (502, "UNKNOWN", b"null", "Its own log may say why"),
        (418, "UNKNOWN", b"null", ""),
    ],
)
def test_a_registry_that_may_have_no_space_is_told_so(status: int, code: str, detail: bytes, hint: str) -> None:
    body = b'{"errors": [{"code": "%s", "message": "unknown error", "detail": %s}]}' % (code.encode(), detail)
    found = response(body, status).error().hint
    assert hint in found and bool(hint) == bool(found)


@pytest.mark.parametrize(("code", "hint"), [("UNSUPPORTED", "if it is a Pulp"), ("DENIED", "requests_per_second")])
def test_who_is_throttled_is_told_what_to_do(code: str, hint: str) -> None:
    body = b'{"errors": [{"code": "%s", "message": "Request was throttled."}]}' % code.encode()
    assert hint in response(body, 429).error().hint


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
@pytest.mark.parametrize("where", ["text", "errors"])
def test_a_login_that_is_quoted_is_hidden_before_a_text_is_cut(scheme: str, where: str) -> None:
    secret = base64.b64encode(b"ci:Sup3rS3cretPassw0rd").decode() if scheme == "Basic" else "a-token-of-some-length"
    for before in range(170, 520, 3):
        text = "x" * before + f" {scheme} {secret} Sup3rS3cretPassw0rd"
        body = text.encode() if where == "text" else json.dumps({"errors": [{"code": "X", "message": text}]}).encode()
        raw: t.Any = types.SimpleNamespace(status=418, headers={})
        error = Response(
            "GET", "https://r.example/v2/x", raw, body, secrets=known(secret, "Sup3rS3cretPassw0rd")
        ).error()
        shown = f"{error} {error.errors}"
        assert secret[:8] not in shown
        assert "Sup3rS3c" not in shown


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], []),
        (['299 - "Ends soon"'], ["Ends soon"]),
        (['299 - "Ends soon"', '299 - "Pay"'], ["Ends soon", "Pay"]),
        (['299 - "Ends soon, really", 299 - "Pay" , 299  -  "Now"'], ["Ends soon, really", "Pay", "Now"]),
        (['299 - "Ends soon" "Sat, 25 Aug 2012 23:34:45 GMT", 299 - "Pay"'], ["Ends soon", "Pay"]),
        (['299 - "Say \\"please\\" and \\\\"'], ['Say "please" and \\']),
        (['110 - "Response is stale", 299 - "Ends soon", 199 - "No"'], ["Ends soon"]),
        (['299 proxy.example "Not the registry\'s"'], []),
        (["299 - Ends soon", '299 - "never ended', "", ",", "nonsense"], []),
        (['299 - "' + "Gr\u00fc\u00dfe \u2713".encode().decode("latin-1") + '"'], ["Gr\u00fc\u00dfe \u2713"]),
        (['299 - "Gr\u00fc\u00dfe"'], ["Gr\u00fc\u00dfe"]),
        (['299 - "' + "x" * 9000 + '"'], []),
    ],
)
def test_texts_of_warning_headers(headers: list[str], texts: list[str]) -> None:
    raw: t.Any = types.SimpleNamespace(status=200, headers=types.SimpleNamespace(getlist=lambda name: headers))
    assert Response("GET", "https://r.example/v2/x", raw, b"").warnings() == texts


def test_a_login_that_a_warning_quotes_is_hidden() -> None:
    headers = ['299 - "You sent a-token-of-some-length"']
    raw: t.Any = types.SimpleNamespace(status=200, headers=types.SimpleNamespace(getlist=lambda name: headers))
    found = Response("GET", "https://r.example/v2/x", raw, b"", secrets=known("a-token-of-some-length")).warnings()
    assert found == ["You sent ********"]


@pytest.mark.parametrize(
    "headers", [["You sent a-token%2Dof-some-length"], ["a-token\x02-of-some-length"], ["a-token-of", "-some-length"]]
)
def test_a_warning_that_has_the_login_in_another_form_is_not_shown(headers: list[str]) -> None:
    quoted = [f'299 - "{text}"' for text in headers]
    raw: t.Any = types.SimpleNamespace(status=200, headers=types.SimpleNamespace(getlist=lambda name: quoted))
    found = Response("GET", "https://r.example/v2/x", raw, b"", secrets=known("a-token-of-some-length")).warnings()
    assert set(found) == {"(notice not shown: it contains a secret)"}


@pytest.mark.parametrize("code", ["TOOMANYREQUESTS", "TOO_MANY_REQUESTS", "TOO_MANY_REQUEST", "toomanyrequests"])
def test_a_403_that_says_too_many_requests_is_throttling(code: str) -> None:
    found = response(b'{"errors": [{"code": "%s", "message": "slow down"}]}' % code.encode(), 403)
    error = found.error()
    assert isinstance(error, RateLimited) and error.temporary and found.is_temporary()
    assert "requests_per_second" in error.hint and "rights" not in error.hint


def test_retry_after_reads_numbers_and_dates_only() -> None:
    assert retry_after("120") == 120
    assert retry_after("x") is None
    assert retry_after("") is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    ("status", "codes", "kind"),
    [
        (403, ["DENIED"], AccessDenied),
        (404, ["MANIFEST_UNKNOWN"], NotFound),
        (404, [], NotFound),
        (404, ["NAME_UNKNOWN"], RepositoryMissing),
        (405, ["UNSUPPORTED"], Unsupported),
        (405, [], Unsupported),
        (429, ["toomanyrequests"], RateLimited),
        (400, ["MANIFEST_INVALID"], UnexpectedAnswer),
        (418, [], UnexpectedAnswer),
        (500, ["UNKNOWN"], UnexpectedAnswer),
    ],
)
def test_an_answer_is_an_error_of_its_kind_with_its_facts(
    server: ScriptedServer, status: int, codes: list[str], kind: type[RegistryError]
) -> None:
    server.expect("GET", "/v2/x?sig=secret", status, errors(*codes, detail={"a": 1}) if codes else b"")
    error = transport(server.host, retries=0).exchange("GET", "/v2/x?sig=secret", NOTHING).error()
    assert error.__class__ is kind
    assert (error.method, error.url, error.status) == ("GET", server.url + "/v2/x", status)
    assert [entry.code for entry in error.errors] == codes
    assert not codes or error.errors[0].detail == '{"a": 1}'
    assert "secret" not in f"{error} {error.facts()}"


def test_control_characters_of_a_registry_do_not_reach_the_screen(server: ScriptedServer) -> None:
    nasty = "a\x1b[31mb\x00c\r\nd\x9be\u202ef\u2028g\ud800h\x7f"
    server.expect("GET", "/1", 400, errors(nasty, message=nasty, detail=nasty))
    server.expect("GET", "/2", 400, nasty.encode("utf-8", "surrogatepass"))
    server.expect("GET", "/3", 400, {"errors": [{"code": "a\x1b\x00b\u202ec"}]})
    client = transport(server.host)
    for target in ("/1", "/2"):
        error = client.exchange("GET", target, NOTHING).error()
        for text in (str(error), error.reason, *(field for entry in error.errors for field in entry)):
            assert not set(text) & set("\x1b\x00\r\n\x9b\u2028\ud800\x7f"), text
            text.encode()
    assert client.exchange("GET", "/3", NOTHING).error().errors == (ErrorDetail("a b c", "", ""),)


def test_huge_error_bodies_are_cut(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 400, b"x" * 10000000)
    server.expect("GET", "/2", 400, {"errors": [{"code": "C" * 600, "message": "m" * 600, "detail": ["d" * 600]}] * 30})
    client = transport(server.host)
    response = client.exchange("GET", "/1", NOTHING)
    assert len(response.body) == 65536
    assert len(str(response.error())) < 500
    error = client.exchange("GET", "/2", NOTHING).error()
    assert len(error.errors) == 30
    assert max(len(field) for entry in error.errors for field in entry) == 500


def test_no_more_than_fifty_errors_are_kept(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 400, {"errors": [{"code": "C"}] * 100})
    assert len(transport(server.host).exchange("GET", "/1", NOTHING).error().errors) == 50


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'{"errors":null}',
        b'{"errors":{}}',
        b'{"errors":"x"}',
        b'{"errors":[1,null,"x",[]]}',
        b'{"errors":[{}]}',
        b'{"errors":[{"code":{"a":[1]},"message":null,"detail":false}]}',
        b'{"details":"x"}',
        b"404 page not found\n",
        b"\xff\xfe\x00",
        b"[" * 65000,
        b'{"errors":[{"code":"A","detail":' + b"[" * 30000 + b"]" * 30000 + b"}]}",
        b'{"errors":[{"code":"A","detail":' + b"9" * 20000 + b"}]}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_error_bodies_of_any_shape_are_an_error_without_traceback(server: ScriptedServer, body: bytes) -> None:
    server.expect("GET", "/1", 400, body)
    error = transport(server.host).exchange("GET", "/1", NOTHING).error()
    assert isinstance(error, UnexpectedAnswer)
    assert str(error).endswith(".")
