# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole tasks with registries that quote the login that they got, wherever an answer has room, in whatever form."""

from __future__ import annotations

import base64
import html
import json
import pathlib
import re
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import (
    PAIR,
    PASSWORD,
    Answer,
    HostileServer,
    Rule,
    Seen,
    secrets_in,
)
from ansible_collections.imageops.registry.tests.unit.support.module_runs import run_module

Hostile = t.Callable[..., HostileServer]
FORMS: dict[str, t.Callable[[str], str]] = {
    "as it is": str,
    "JSON of Go": lambda text: json.dumps(text)[1:-1].replace("&", "\\u0026").replace("+", "\\u002b"),
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "HTML": lambda text: html.escape(text).replace("/", "&#47;").replace("+", "&#x2B;"),
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "base64": lambda text: base64.b64encode(f"login {text}".encode()).decode(),
}


def error(message: str) -> bytes:
    """The message is in JSON already."""
    return b'{"errors":[{"code":"DENIED %s","message":"%s","detail":{"a":"%s"}}]}' % ((message.encode(),) * 3)


def in_header(name: str, value: str, status: int = 202) -> t.Callable[[str], Answer]:
    return lambda quoted: Answer(status, ((name, value.replace("LOGIN", quoted)),))


PLACES: dict[str, t.Callable[[str], Answer]] = {
    "errors": lambda quoted: Answer(403, (), (error(quoted),)),
    "errors of a failure": lambda quoted: Answer(500, (), (error(quoted),)),
    "too many requests": lambda quoted: Answer(429, (), (error(quoted),)),
    "text": lambda quoted: Answer(418, (), (f"you sent {quoted}".encode(),)),
    "XML": lambda quoted: Answer(418, (), (f"<?xml version='1.0'?><Error>{quoted}</Error>".encode(),)),
    "page": lambda quoted: Answer(500, (), (f"<html><title>you sent {quoted}</title></html>".encode(),)),
    "page of a login": lambda quoted: Answer(200, (), (f"<html><title>you sent {quoted}</title></html>".encode(),)),
    "warning": in_header("Warning", '299 - "you sent LOGIN"', 404),
    "location": in_header("Location", "http://LOGIN:x/", 307),
    "location of a file": in_header("Location", "file:///LOGIN", 307),
    "location on another host": in_header("Location", "http://LOGIN.invalid/", 307),
    "error description": in_header("WWW-Authenticate", 'Basic realm="LOGIN", error_description="LOGIN"', 401),
    "scheme": in_header("WWW-Authenticate", 'LOGIN realm="x"', 401),
    "realm": in_header("WWW-Authenticate", 'Bearer realm="LOGIN://x"', 401),
    "host of a realm": in_header("WWW-Authenticate", 'Bearer realm="http://LOGIN.example/"', 401),
    "scope": in_header("WWW-Authenticate", 'Bearer realm="/token",scope="repository:LOGIN:pull"', 401),
    "digest": in_header("Docker-Content-Digest", "sha256:LOGIN", 200),
    "type": in_header("Content-Type", "application/LOGIN", 200),
    "link": in_header("Link", "<http://LOGIN:x/>; rel=next", 200),
    "status line": lambda quoted: Answer(418, (("X", "x"),), (b"",), f"x {quoted}"),
}


def quoting(place: str, form: str) -> Rule:
    """Answers those who are logged in with what they sent."""

    def rule(seen: Seen) -> Answer:
        given = dict(seen.headers).get("authorization", "")
        if not given:
            return Answer(401, (("WWW-Authenticate", 'Basic realm="tests"'),))
        quoted = f"{FORMS[form](PASSWORD)} {PAIR}"
        if place in ("location", "location of a file", "location on another host", "host of a realm", "link", "realm"):
            quoted = FORMS[form](PASSWORD)
        return PLACES[place](re.sub(r"[\r\n]", "", quoted))

    return rule


def without_what_is_not_shown(result: dict[str, t.Any]) -> None:
    """The options, and what a module tells ansible-core 2.22 to mask."""
    for name in ("invocation", "_ansible_new_secrets"):
        result.pop(name, None)


def forms_of(text: str) -> t.Iterator[str]:
    """A text, and what it is once it is decoded in each way, up to three times."""
    layer = {text}
    for _depth in range(3):
        yield from layer
        layer = {
            decoded
            for one in layer
            for decoded in (
                html.unescape(one),
                urllib.parse.unquote(one),
                re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), one),
                re.sub(r"\\(.)", r"\1", one),
            )
        }
    for run in re.findall(r"[A-Za-z0-9+/]{8,}", text):
        yield base64.b64decode(run[: len(run) // 4 * 4]).decode("latin-1")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("module", ["tag_info", "manifest_info", "blob"])
def test_whatever_a_registry_makes_of_a_login_is_in_no_message_of_a_task(
    hostile: Hostile, tmp_path: pathlib.Path, module: str, place: str, form: str
) -> None:
    home = hostile(login="basic")
    home.on(".*", "/v2/.+", quoting(place, form))
    auth = tmp_path / "auth.json"
    auth.write_text(json.dumps({"auths": {home.host: {"auth": PAIR}}}))
    content = tmp_path / "content"
    content.write_bytes(b"content")
    options = {"tag_info": {}, "manifest_info": {"tag": "1"}, "blob": {"path": str(content)}}[module]
    connection = {"registry": home.host, "plain_http": True, "retries": 0, "timeout": 5, "auth_file": str(auth)}
    result = run_module(module, {**connection, "repository": "a/b", **options})
    without_what_is_not_shown(result)
    said = json.dumps(result, ensure_ascii=False)
    assert any("authorization" in dict(seen.headers) for seen in home.seen)
    for text in {said, str(result.get("msg")), *map(str, result.get("warnings", []))}:
        for shown in forms_of(text):
            assert not secrets_in(shown), (shown, result)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
def test_whatever_a_token_server_makes_of_a_login_is_in_no_message_of_a_task(
    hostile: Hostile, tmp_path: pathlib.Path, status: int, form: str
) -> None:
    home = hostile(login="bearer")
    quoted = FORMS[form](PASSWORD)
    body = b'{"token":"%s","errors":[{"code":"%s","message":"%s"}],"error_description":"%s"}'
    answer = Answer(
        status, (("Warning", f'299 - "{quoted}"'), ("WWW-Authenticate", quoted)), (body % ((quoted.encode(),) * 4),)
    )
    home.on("GET|POST", "/token.*", lambda seen: answer)
    home.on("GET", "/v2/.+", quoted_token)
    auth = tmp_path / "auth.json"
    auth.write_text(json.dumps({"auths": {home.host: {"auth": PAIR}}}))
    connection = {"registry": home.host, "plain_http": True, "retries": 0, "timeout": 5, "auth_file": str(auth)}
    result = run_module("tag_info", {**connection, "repository": "a/b"})
    without_what_is_not_shown(result)
    assert result["failed"] and any(seen.target.startswith("/token") for seen in home.seen)
    for shown in forms_of(json.dumps(result, ensure_ascii=False)):
        assert not secrets_in(shown), result


def quoted_token(seen: Seen) -> Answer:
    """Quotes the token, once it comes."""
    given = dict(seen.headers).get("authorization", "")
    if not given:
        return Answer(401, (("WWW-Authenticate", f'Bearer realm="http://{dict(seen.headers)["host"]}/token"'),))
    return Answer(403, (), (error(given.partition(" ")[2]),))
