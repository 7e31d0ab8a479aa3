# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._url import (
    Origin,
    is_local_address,
    is_local_host,
    is_local_only,
    lost_port,
    misled,
    origin_of,
    resolve,
    with_digest,
    without_query,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ProtocolViolation

BASE = "https://r.example:5000/v2/a/b/blobs/uploads/"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://R.Example", ("https", "r.example", 443)),
        ("https://r.example:443/x", ("https", "r.example", 443)),
        ("http://r.example./x", ("http", "r.example", 80)),
        ("HTTP://r.example:5000", ("http", "r.example", 5000)),
        ("https://[2001:DB8::1]:5000/", ("https", "2001:db8::1", 5000)),
    ],
)
def test_an_origin_is_scheme_host_and_the_port_really_used(url: str, origin: tuple[str, str, int]) -> None:
    assert origin_of(url) == Origin(*origin)


@pytest.mark.parametrize(
    ("own", "there", "expected"),
    [
        ("http://r.example:5000", "http://r.example/v2/", True),
        ("https://r.example:5000", "https://r.example/v2/", True),
        ("http://r.example:5000", "https://r.example/v2/", True),
        ("http://r.example:5000", "http://r.example:5001/v2/", False),
        ("http://r.example:5000", "http://r.example:5000/v2/", False),
        ("http://r.example", "http://r.example/v2/", False),
        ("http://r.example:5000", "http://other.example/v2/", False),
    ],
)
def test_a_port_is_lost_where_the_default_one_is_in_its_place(own: str, there: str, expected: bool) -> None:
    assert lost_port(origin_of(own), origin_of(there)) is expected


def test_who_is_misled_is_told_where_to() -> None:
    own = origin_of("http://[::1]:5000")
    advice = misled(own, origin_of("http://[::1]/v2/"), "upload")
    assert advice.startswith(
        "The registry is at http://[::1]:5000, and its answer sends the upload to http://[::1]:80: a proxy in front of "
        "the registry seems to have lost the port 5000. Have"
    )
    elsewhere = misled(own, origin_of("https://other.example/v2/"), "upload")
    assert "sends the upload to https://other.example:443. Have the proxy pass on" in elsewhere


UNSAFE = [
    "ftp://r.example/",
    "file:///etc/passwd",
    "null://r.example/",
    "javascript:x",
    "https://user@r.example/",
    "https://user:secret@r.example/",
    "https://r.example@evil.example/",
    "https://r.example:x/",
    "https://r.example:99999/",
    "https://[::1/",
    "https://r.example\\@evil.example/",
    "https://r.example/\r\nX: y",
    "https://r.example/a b",
    "https://r.example/\x00",
    "https://r.example/\x7f",
    "https://\u2100.example/",
]


@pytest.mark.parametrize("url", UNSAFE)
def test_a_url_that_is_not_safe_to_follow_is_refused(url: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        resolve(BASE, url)
    assert "secret" not in str(caught.value)
    with pytest.raises(ProtocolViolation):
        origin_of(url)


@pytest.mark.parametrize("url", ["", "/v2/", "v2/", "//r.example/", "https:///x"])
def test_an_origin_needs_an_absolute_url(url: str) -> None:
    with pytest.raises(ProtocolViolation):
        origin_of(url)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/v2/x?_state=a%7Eb%2f==&c", "https://r.example:5000/v2/x?_state=a%7Eb%2f==&c"),
        ("uuid?s=1", BASE + "uuid?s=1"),
        ("?s=1", BASE + "?s=1"),
        ("https://other.example/x?a=|%zz", "https://other.example/x?a=|%zz"),
        ("//other.example/x", "https://other.example/x"),
        ("r.example:5000/v2/x?s=1", "https://r.example:5000/v2/x?s=1"),
        ("R.Example:5000/v2/x", "https://R.Example:5000/v2/x"),
        ("/v2/x#part", "https://r.example:5000/v2/x"),
        ("http://r.example:5000/v2/x", "http://r.example:5000/v2/x"),
    ],
)
def test_locations_are_joined_with_their_query_kept_to_the_byte(location: str, url: str) -> None:
    assert resolve(BASE, location) == url


@pytest.mark.parametrize(
    ("location", "joined"),
    [
        ("https://r/u", "https://r/u?digest=sha256%3Aab"),
        ("https://r/u?_state=a%2Fb=", "https://r/u?_state=a%2Fb=&digest=sha256%3Aab"),
        ("https://r/u?", "https://r/u?digest=sha256%3Aab"),
        ("https://r/u?a&", "https://r/u?a&digest=sha256%3Aab"),
        ("https://r/u?digest_key=1", "https://r/u?digest_key=1&digest=sha256%3Aab"),
        ("https://r/u#x?y", "https://r/u?digest=sha256%3Aab"),
    ],
)
def test_the_digest_is_added_and_every_other_byte_left_alone(location: str, joined: str) -> None:
    assert with_digest(location, "sha256:ab") == joined


def test_a_url_is_shown_without_query_fragment_and_login() -> None:
    assert without_query("https://u:p@r:5/a%2Fb?sig=secret#x") == "https://r:5/a%2Fb"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "a.localhost",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "2852039166",
        "0",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
    ],
)
def test_loopback_and_link_local_addresses_are_local_however_they_are_written(host: str) -> None:
    assert is_local_address(host)


@pytest.mark.parametrize(
    "host",
    [
        "r.example",
        "10.0.0.1",
        "192.168.0.1",
        "8.8.8.8",
        "2001:db8::1",
        "localhost.example",
        "",
        "64:ff9b::808:808",
        "1.2",
    ],
)
def test_other_hosts_are_not_local(host: str) -> None:
    assert not is_local_address(host)


@pytest.mark.parametrize(
    ("addresses", "any_", "only"),
    [
        (["127.0.0.1", "::1"], True, True),
        (["198.51.100.7", "127.0.0.1"], True, False),
        (["198.51.100.7"], False, False),
        ([], False, False),
    ],
)
def test_a_name_with_one_local_address_among_others(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], any_: bool, only: bool
) -> None:
    """Whoever owns a name may give it any addresses: one that is local makes nobody a local registry."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: [(0, 0, 0, "", (one, 0)) for one in addresses])
    assert (is_local_host("r.example"), is_local_only("r.example")) == (any_, only)
