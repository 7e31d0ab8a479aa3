# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import types
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._response import Response
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ProtocolViolation, RateLimited

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
        (500, "MANIFEST_INVALID", b"null", ""),
        (502, "UNKNOWN", b"null", ""),
    ],
)
def test_a_registry_that_may_have_no_space_is_told_so(status: int, code: str, detail: bytes, hint: str) -> None:
    body = b'{"errors": [{"code": "%s", "message": "unknown error", "detail": %s}]}' % (code.encode(), detail)
    found = response(body, status).error().hint
    assert hint in found and bool(hint) == bool(found)


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
@pytest.mark.parametrize("where", ["text", "errors"])
def test_a_login_that_is_quoted_is_hidden_before_a_text_is_cut(scheme: str, where: str) -> None:
    secret = base64.b64encode(b"ci:Sup3rS3cretPassw0rd").decode() if scheme == "Basic" else "a-token-of-some-length"
    for before in range(170, 520, 3):
        text = "x" * before + f" {scheme} {secret} Sup3rS3cretPassw0rd"
        body = text.encode() if where == "text" else json.dumps({"errors": [{"code": "X", "message": text}]}).encode()
        raw: t.Any = types.SimpleNamespace(status=418, headers={})
        error = Response("GET", "https://r.example/v2/x", raw, body, f"{scheme} {secret}").error()
        shown = f"{error} {error.errors}"
        assert secret[:8] not in shown
        assert scheme == "Bearer" or "Sup3rS3c" not in shown


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
    found = Response("GET", "https://r.example/v2/x", raw, b"", "Bearer a-token-of-some-length").warnings()
    assert found == ["You sent ********"]


@pytest.mark.parametrize(
    "headers", [["You sent a-token%2Dof-some-length"], ["a-token\x02-of-some-length"], ["a-token-of", "-some-length"]]
)
def test_a_warning_that_has_the_login_in_another_form_is_not_shown(headers: list[str]) -> None:
    quoted = [f'299 - "{text}"' for text in headers]
    raw: t.Any = types.SimpleNamespace(status=200, headers=types.SimpleNamespace(getlist=lambda name: quoted))
    found = Response("GET", "https://r.example/v2/x", raw, b"", "Bearer a-token-of-some-length").warnings()
    assert set(found) == {"(a notice that isn't shown: it has a secret in it)"}


@pytest.mark.parametrize("code", ["TOOMANYREQUESTS", "TOO_MANY_REQUESTS", "TOO_MANY_REQUEST", "toomanyrequests"])
def test_a_403_that_says_too_many_requests_is_throttling(code: str) -> None:
    found = response(b'{"errors": [{"code": "%s", "message": "slow down"}]}' % code.encode(), 403)
    error = found.error()
    assert isinstance(error, RateLimited) and error.temporary and found.is_temporary()
    assert "requests_per_second" in error.hint and "rights" not in error.hint
