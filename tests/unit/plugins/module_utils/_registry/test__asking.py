# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that are no registry."""

from __future__ import annotations

import concurrent.futures
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    NotFound,
    ProtocolViolation,
    RegistryError,
    TLSFailed,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_MANIFEST,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    OTHER_DIGEST,
    encoded,
    errors,
    image,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import known
from ansible_collections.imageops.registry.tests.unit.support.registry_client import plain_registry as registry
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

CONTENT = encoded(image())
MANIFEST = Manifest.parse(CONTENT, OCI_MANIFEST)
BLOB, OTHER_BLOB = f"/v2/a/blobs/{DIGEST}", f"/v2/a/blobs/{OTHER_DIGEST}"
HTML = "<!DOCTYPE html><title>Sign in</title>"
PAGE = {"Content-Type": "text/html; charset=utf-8"}
PLAIN = {"Content-Type": "text/plain"}


def tag(name: str) -> str:
    return f"/v2/a/manifests/{name}"


CALLS: list[t.Callable[[Registry], t.Any]] = [
    lambda client: client.head_manifest("a", "1"),
    lambda client: client.head_manifest("a", DIGEST, Purpose.GUARD),
    lambda client: client.get_manifest("a", "1"),
    lambda client: client.list_tags("a"),
    lambda client: client.head_blob("a", DIGEST),
    lambda client: client.get_blob("a", DIGEST),
    lambda client: client.delete_blob("a", DIGEST),
    lambda client: client.delete_manifest("a", "1"),
    lambda client: client.start_upload("a"),
    lambda client: client.put_manifest("a", "1", MANIFEST),
    lambda client: client.list_referrers("a", DIGEST),
]
Answer = tuple[int, str, dict[str, str]]


class Anything(ScriptedServer):
    """Answers the same to everything, but for what it is asked of ``/v2/``."""

    def __init__(self, status: int, body: str, headers: dict[str, str], api: Answer | None = None) -> None:
        super().__init__()
        self.is_plain = True
        self._answer = (status, body, headers)
        self._api = api or self._answer

    def take(self, request: t.Any) -> t.Any:
        status, body, headers = self._api if request.target == "/v2/" else self._answer
        self.expect(request.method, request.target, status, body, headers)
        return super().take(request)


NO_REGISTRY = [(404, "404 page not found", PLAIN), (200, HTML, PAGE), (403, "forbidden", PLAIN)]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", NO_REGISTRY)
def test_a_host_that_is_no_registry_is_an_error(
    call: t.Callable[[Registry], t.Any], answer: tuple[int, str, dict[str, str]]
) -> None:
    server = Anything(*answer)
    try:
        client = registry(server)
        with pytest.raises(RegistryError) as caught:
            outcome = call(client)
            if isinstance(outcome, tuple) and b"".join(outcome[0]):
                # What is streamed has its digest verified.
                raise ProtocolViolation("bytes of something else")
        assert not isinstance(caught.value, (NotFound, AccessDenied))
    finally:
        server.close()


def test_a_host_is_asked_once_whether_it_is_a_registry() -> None:
    server = Anything(404, "404 page not found", PLAIN)
    try:
        client = registry(server, jobs=8)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = [pool.submit(client.head_manifest, "a", str(number)) for number in range(8)]
            reasons = {str(one.exception()) for one in found}
        assert all("does not answer as a registry: to GET /v2/" in reason for reason in reasons)
        assert server.seen().count("GET /v2/") == 1
    finally:
        server.close()


@pytest.mark.parametrize(
    "api",
    [(200, "{}", {"Content-Type": "application/json"}), (200, "OK", PLAIN), (200, "", {}), (401, "", {})],
)
def test_a_registry_with_plain_errors_is_one(api: Answer) -> None:
    server = Anything(404, "404 page not found", PLAIN, api)
    try:
        client = registry(server)
        assert client.head_manifest("a", "1") is None
        assert not client.delete_manifest("a", "1")
        assert server.seen().count("GET /v2/") == 1
    finally:
        server.close()


@pytest.mark.parametrize("api", [(200, HTML, PAGE), (200, HTML, PLAIN), (204, "", {}), (403, "no", PLAIN)])
def test_a_page_at_the_root_of_the_api_shows_no_registry(api: Answer) -> None:
    server = Anything(404, "404 page not found", PLAIN, api)
    try:
        with pytest.raises(ProtocolViolation, match="a registry answers 401, or 200 and no HTML page"):
            registry(server).head_manifest("a", "1")
    finally:
        server.close()


@pytest.mark.parametrize("status", [404, 403, 500])
def test_what_only_a_registry_answers_is_enough(server: ScriptedServer, status: int) -> None:
    server.expect("GET", "/v2/a/tags/list", status, errors("NAME_UNKNOWN", "DENIED"))
    with pytest.raises(RegistryError):
        registry(server).list_tags("a")


def test_a_registry_that_is_down_is_not_taken_for_something_else(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/tags/list", 404, "x", PLAIN).expect("GET", "/v2/", 502, HTML, PAGE)
    server.expect("GET", "/v2/a/tags/list", 503, HTML, PAGE)
    client = registry(server)
    for _time in range(2):
        with pytest.raises(UnexpectedAnswer, match="Cannot list the tags of .*in HTML was answered"):
            client.list_tags("a")


def test_a_registry_that_expects_tls_says_so(server: ScriptedServer) -> None:
    body = "Client sent an HTTP request to an HTTPS server."
    server.expect("GET", "/v2/a/tags/list", 400, body).expect("GET", "/v2/", 400, body)
    with pytest.raises(TLSFailed, match="plain_http"):
        registry(server).list_tags("a")


@pytest.mark.parametrize("length", [None, "37"])
def test_a_page_is_no_blob(server: ScriptedServer, length: str | None) -> None:
    client = known(server)
    server.expect("HEAD", BLOB, 200, headers=PAGE, length=length).expect("GET", BLOB, 200, HTML, PAGE)
    with pytest.raises(ProtocolViolation, match="Cannot look for blob .*in HTML was answered"):
        client.head_blob("a", DIGEST)


def test_a_blob_that_a_registry_types_as_a_page_is_one(server: ScriptedServer) -> None:
    headers = {**PAGE, "Docker-Content-Digest": DIGEST}
    server.expect("HEAD", BLOB, 200, headers=headers, length="7")
    assert registry(server).head_blob("a", DIGEST) == 7


def test_a_page_deletes_and_stores_nothing(server: ScriptedServer) -> None:
    client = known(server)
    server.expect("DELETE", BLOB, 200, HTML, PAGE).expect("DELETE", tag("1"), 202, HTML, PAGE)
    server.expect("PUT", tag("1"), 201, HTML, PAGE)
    with pytest.raises(ProtocolViolation, match="Cannot delete blob .*the page 'Sign in' in HTML"):
        client.delete_blob("a", DIGEST)
    with pytest.raises(ProtocolViolation, match="Cannot delete .*the page 'Sign in' in HTML"):
        client.delete_manifest("a", "1")
    with pytest.raises(ProtocolViolation, match="Cannot push .*the page 'Sign in' in HTML"):
        client.put_manifest("a", "1", MANIFEST)
    # Frameworks give their own type to what is empty.
    server.expect("DELETE", BLOB, 202, headers=PAGE)
    assert client.delete_blob("a", DIGEST)
