# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ProtocolViolation,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry import _pages
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    encoded,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    INDEX_TYPE,
    MANIFEST_DIGEST,
    REFERRERS,
    TOKEN,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("no_collection")

Serve = t.Callable[..., ScriptedServer]


def test_a_list_that_is_a_web_page_says_so(server: ScriptedServer) -> None:
    page = b"<!DOCTYPE html><html><title>Sign in</title>"
    server.expect("GET", "/v2/a/b/tags/list", 200, page, {"Content-Type": "text/html"})
    with pytest.raises(ProtocolViolation, match="Cannot list the tags of .*: the page 'Sign in' in HTML was answered"):
        registry(server).list_tags("a/b")


@pytest.mark.parametrize("body", [{"tags": None}, {"tags": []}, {"name": "a/b"}])
def test_tags_may_be_null(server: ScriptedServer, body: dict[str, t.Any]) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, body)
    assert registry(server).list_tags("a/b") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"errors":[{"code":"DENIED"}]}',
        b'{"tags":{}}',
        b'{"tags":[1]}',
        b'{"tags":[null]}',
        b"[" * 200000,
        b"\xff",
        b"null",
    ],
)
def test_a_malformed_list_is_refused(server: ScriptedServer, body: bytes) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, body)
    with pytest.raises(ProtocolViolation, match="no valid list of tags"):
        registry(server).list_tags("a/b")


@pytest.mark.parametrize(
    "link",
    [
        '</v2/a/b/tags/list?last=a&n=1>; rel="next"',
        "</v2/a/b/tags/list?last=a&n=1>;rel=next",
        "<{url}/v2/a/b/tags/list?last=a&n=1>; title=x; rel=next",
        '<list?last=a&n=1>; REL="Next"',
        '</v2/first>; rel="first", </v2/a/b/tags/list?last=a&n=1>; rel="next"',
        '</v2/a/b/tags/list?last=a&n=1>; title="b, c; \\" d"; rel=next',
        '</v2/x>; title=", </v2/y>; rel=next"; rel=prev, </v2/a/b/tags/list?last=a&n=1>; rel="last next"',
    ],
)
def test_the_next_page_is_followed_in_every_form(server: ScriptedServer, link: str) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, {"Link": link.format(url=server.url)})
    server.expect("GET", "/v2/a/b/tags/list?last=a&n=1", 200, {"tags": ["b"]})
    assert registry(server, credential=TOKEN).list_tags("a/b") == ["a", "b"]
    assert server.requests[1].header("Authorization") == "Bearer tok"


@pytest.mark.parametrize(
    "link",
    ['</v2/x>; rel="prev"', "</v2/x>", "nonsense", "<", "", '</v2/x>; rel="nextish"', '</v2/x>; title="; rel=next"'],
)
def test_a_link_to_anything_else_is_not_followed(server: ScriptedServer, link: str) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, {"Link": link})
    assert registry(server).list_tags("a/b") == ["a"]


def test_a_page_that_repeats_ends_the_list(server: ScriptedServer) -> None:
    again = {"Link": '</v2/a/b/tags/list?last=a>; rel="next"'}
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, again)
    server.expect("GET", "/v2/a/b/tags/list?last=a", 200, {"tags": ["a"]}, again)
    assert registry(server).list_tags("a/b") == ["a"]


def test_pages_without_end_are_given_up_when_they_add_nothing(server: ScriptedServer) -> None:
    for page in range(52):
        following = {"Link": f'</v2/a/b/tags/list?page={page + 1}>; rel="next"'}
        query = f"?page={page}" if page else ""
        server.expect("GET", f"/v2/a/b/tags/list{query}", 200, {"tags": ["a"] if page else ["a", "b"]}, following)
    with pytest.raises(ProtocolViolation, match="goes in circles: 51 pages in a row had no new tags"):
        registry(server).list_tags("a/b")


def test_a_next_page_on_another_host_is_refused(serve: Serve) -> None:
    server, foreign = serve(), serve()
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": []}, {"Link": f'<{foreign.url}/v2/x>; rel="next"'})
    sends = f"its answer sends the client to {foreign.url}"
    with pytest.raises(ProtocolViolation, match=f"next page is on another host.*{sends}"):
        registry(server).list_tags("a/b")
    assert foreign.connections == 0


def test_a_next_page_that_is_no_url_is_refused(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": []}, {"Link": '<http://[bad>; rel="next"'})
    with pytest.raises(ProtocolViolation, match="Cannot list the tags"):
        registry(server).list_tags("a/b")


def test_a_page_that_fails_is_an_error_and_no_short_list(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, {"Link": '</v2/p2>; rel="next"'})
    server.expect("GET", "/v2/p2", 500)
    with pytest.raises(UnexpectedAnswer):
        registry(server).list_tags("a/b")


def test_repositories_are_listed_over_all_pages(server: ScriptedServer) -> None:
    server.expect(
        "GET", "/v2/_catalog", 200, {"repositories": ["z", "a"]}, {"Link": '</v2/_catalog?last=z>; rel="next"'}
    )
    server.expect("GET", "/v2/_catalog?last=z", 200, {"repositories": ["m"]})
    assert registry(server).list_repositories() == ["a", "m", "z"]


def test_a_malformed_name_does_not_make_the_others_unreachable(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/_catalog", 200, {"repositories": ["a", "../x", "B"]})
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["1", "-1", ""]})
    assert registry(server).list_repositories() == ["../x", "B", "a"]
    assert registry(server).list_tags("a/b") == ["", "-1", "1"]


def test_a_list_that_is_too_large_is_given_up(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pages, "_MAXIMUM_LIST_SIZE", 1000)
    for number in range(3):
        link = {"Link": f'</v2/a/b/tags/list?p={number + 1}>; rel="next"'}
        target = "/v2/a/b/tags/list" + (f"?p={number}" if number else "")
        server.expect("GET", target, 200, {"tags": [f"{number}" + "x" * 400]}, headers=link)
    with pytest.raises(ProtocolViolation, match="larger than 1000 bytes"):
        registry(server).list_tags("a/b")


def test_referrers_in_pages_that_stay_empty_are_given_up(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pages, "_FRUITLESS_PAGES", 2)
    for number in range(3):
        headers = {**INDEX_TYPE, "Link": f'<{REFERRERS}?p={number + 1}>; rel="next"'}
        server.expect("GET", REFERRERS + (f"?p={number}" if number else ""), 200, encoded(index()), headers)
    with pytest.raises(ProtocolViolation, match="3 pages in a row"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_a_link_header_of_nothing_but_brackets_costs_little(server: ScriptedServer) -> None:
    """Each was looked at from each other: one answer took half a minute of a processor."""
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, {"Link": "<" * 8000})
    started = time.monotonic()
    assert registry(server).list_tags("a/b") == ["a"]
    assert time.monotonic() - started < 5
