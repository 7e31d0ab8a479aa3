# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is believed to HEAD, and to other hosts."""

from __future__ import annotations

import concurrent.futures
import threading
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._look import look_at_blob
from ansible_collections.imageops.registry.plugins.module_utils._blobs._transfer import size_to_skip
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ConnectionFailed,
    ContentMismatch,
    RedirectFailed,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._absence import Absence
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    LAYER,
    OTHER_DIGEST,
    encoded,
    errors,
    image,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import known
from ansible_collections.imageops.registry.tests.unit.support.registry_client import plain_registry as registry
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import Recorded, ScriptedServer

Serve = t.Callable[..., ScriptedServer]
CONTENT = encoded(image())
MANIFEST = Manifest.parse(CONTENT, OCI_MANIFEST)
TYPED = {"Content-Type": OCI_MANIFEST}
QUOTED = urllib.parse.quote(DIGEST, safe="")
BLOB, OTHER_BLOB = f"/v2/a/blobs/{DIGEST}", f"/v2/a/blobs/{OTHER_DIGEST}"
PLAIN = {"Content-Type": "text/plain"}
UNKNOWN = errors("MANIFEST_UNKNOWN", "BLOB_UNKNOWN")


def tag(name: str) -> str:
    return f"/v2/a/manifests/{name}"


# When HEAD is believed ------------------------------------------------------------------------------------------------


def nothing() -> None:
    return None


def test_the_first_answer_is_confirmed_and_then_believed_by_who_pushes() -> None:
    asked: list[int] = []
    absence = Absence()
    for number in range(3):
        assert absence.confirm(lambda number=number: asked.append(number), Purpose.PUSH) is None
    assert asked == [0]
    assert absence.confirm(lambda: "there", Purpose.GUARD) == "there"
    # It was wrong once.
    assert absence.confirm(lambda: "there", Purpose.PUSH) == "there"


def test_absence_is_reported_by_head_alone_only_where_head_has_found_anything() -> None:
    asked: list[int] = []
    absence = Absence()
    for number in range(3):
        assert absence.confirm(lambda number=number: asked.append(number)) is None
    assert asked == [0, 1, 2]
    absence.found()
    assert absence.confirm(lambda: asked.append(3)) is None
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("finds", [True, False])
def test_whether_head_finds_what_is_there_is_looked_for_once(finds: bool) -> None:
    looks, asked = [], []

    def look() -> bool:
        looks.append(finds)
        return finds

    absence = Absence(look)
    for number in range(4):
        assert absence.confirm(lambda number=number: asked.append(number)) is None
    assert looks == [finds]
    assert asked == ([0] if finds else [0, 1, 2, 3])


def test_a_wrong_answer_has_all_others_confirmed() -> None:
    absence = Absence()
    assert absence.confirm(lambda: "there") == "there"
    assert absence.confirm(nothing, Purpose.GUARD) is None
    assert absence.confirm(lambda: "there too") == "there too"


def test_an_error_confirms_nothing() -> None:
    def fail() -> None:
        raise UnexpectedAnswer("not now")

    absence = Absence()
    for _time in range(2):
        with pytest.raises(UnexpectedAnswer):
            absence.confirm(fail)
    assert absence.confirm(lambda: "there") == "there"


@pytest.mark.parametrize("found", [None, "there"])
def test_threads_wait_for_the_first_answer(found: str | None) -> None:
    absence, asked, begun, end = Absence(), [], threading.Event(), threading.Event()

    def ask() -> str | None:
        asked.append(found)
        begun.set()
        end.wait(5)
        return found

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(absence.confirm, ask, Purpose.PUSH) for _time in range(8)]
        begun.wait(5)
        assert len(asked) == 1
        end.set()
        assert [outcome.result() for outcome in outcomes] == [found] * 8
    assert len(asked) == (1 if found is None else 8)


# Manifests ------------------------------------------------------------------------------------------------------------


def test_a_manifest_that_head_denies_and_get_has_is_there_and_so_are_the_next(server: ScriptedServer) -> None:
    client = registry(server)
    for name in ("1", "2"):
        server.expect("HEAD", tag(name), 404).expect("GET", tag(name), 200, CONTENT, TYPED)
        found = client.head_manifest("a", name)
        assert found is not None and found.digest == MANIFEST.digest


def test_an_absent_manifest_costs_one_get_for_a_registry_unless_it_is_guarded(server: ScriptedServer) -> None:
    client = registry(server)
    server.expect("HEAD", tag("1"), 404).expect("GET", tag("1"), 404, UNKNOWN)
    server.expect("HEAD", tag("2"), 404).expect("HEAD", tag("3"), 404).expect("GET", tag("3"), 404, UNKNOWN)
    assert [client.head_manifest("a", name, Purpose.PUSH) for name in "12"] == [None, None]
    assert client.head_manifest("a", "3", Purpose.GUARD) is None
    # Blobs are another kind.
    server.expect("HEAD", BLOB, 404).expect("GET", BLOB, 404, UNKNOWN).expect("HEAD", OTHER_BLOB, 404)
    assert [client.head_blob("a", digest, Purpose.PUSH) for digest in (DIGEST, OTHER_DIGEST)] == [None, None]


def test_what_is_reported_as_absent_is_confirmed_until_head_has_found_anything(server: ScriptedServer) -> None:
    client = registry(server)
    for name in "12":
        server.expect("HEAD", tag(name), 404).expect("GET", tag(name), 404, UNKNOWN)
        assert client.head_manifest("a", name) is None
    server.expect("HEAD", tag("3"), 200, headers={**TYPED, "Docker-Content-Digest": MANIFEST.digest}, length="9")
    assert client.head_manifest("a", "3") is not None
    server.expect("HEAD", tag("4"), 404)
    assert client.head_manifest("a", "4") is None


@pytest.mark.parametrize("finds", [True, False])
def test_head_is_tried_on_what_get_has_found(server: ScriptedServer, finds: bool) -> None:
    client = registry(server)
    server.expect("GET", tag(MANIFEST.digest), 200, CONTENT, TYPED)
    client.get_manifest("a", MANIFEST.digest)
    server.expect("HEAD", tag("1"), 404).expect("GET", tag("1"), 404, UNKNOWN)
    assert client.head_manifest("a", "1") is None
    server.expect("HEAD", tag("2"), 404).expect("HEAD", tag(MANIFEST.digest), 200 if finds else 404)
    if not finds:
        server.expect("GET", tag("2"), 200, CONTENT, TYPED)
    assert client.head_manifest("a", "2") == (None if finds else MANIFEST.descriptor)


def test_what_was_just_pushed_is_looked_for_by_get_before_it_counts_as_gone(server: ScriptedServer) -> None:
    client = registry(server)
    server.expect("HEAD", tag("1"), 404).expect("GET", tag("1"), 404, UNKNOWN)
    assert client.head_manifest("a", "1") is None
    server.expect("PUT", tag("1"), 201, headers={"Docker-Content-Digest": MANIFEST.digest})
    client.put_manifest("a", "1", MANIFEST)
    server.expect("HEAD", tag("1"), 404).expect("GET", tag("1"), 200, CONTENT, TYPED)
    found = client.head_manifest("a", "1")
    assert found is not None and found.digest == MANIFEST.digest


@pytest.mark.parametrize("is_mounted", [True, False])
def test_a_blob_that_was_just_sent_is_looked_for_by_get_before_it_counts_as_gone(
    server: ScriptedServer, is_mounted: bool
) -> None:
    client = registry(server)
    server.expect("HEAD", BLOB, 404).expect("GET", BLOB, 404, UNKNOWN)
    assert client.head_blob("a", DIGEST) is None
    if is_mounted:
        server.expect("POST", f"/v2/a/blobs/uploads/?mount={QUOTED}&from=b", 201)
        assert client.mount_blob("a", DIGEST, "b") is None
    else:
        server.expect("PUT", f"/v2/a/blobs/uploads/1?digest={QUOTED}", 201)
        client.put_upload(UploadSession("a", f"{server.url}/v2/a/blobs/uploads/1"), DIGEST, LAYER)
    server.expect("HEAD", BLOB, 404)
    server.expect("GET", BLOB, 206, b"x", {"Content-Range": f"bytes 0-0/{len(LAYER)}"})
    assert client.head_blob("a", DIGEST) == len(LAYER)


def test_a_script_has_one_get_of_its_own_for_each_kind() -> None:
    script = ScriptedServer()
    try:
        for kind in ("manifests", "blobs"):
            for name in "12":
                script.expect("HEAD", f"/v2/a/{kind}/{name}", 404)
                for method in ("HEAD", "GET"):
                    script.take(Recorded(method, f"/v2/a/{kind}/{name}", [], b""))
        assert script.problems == [
            "GET /v2/a/manifests/2 came, nothing was expected",
            "GET /v2/a/blobs/2 came, nothing was expected",
        ]
    finally:
        script.close()


@pytest.mark.parametrize("status", [400, 405, 406, 409, 412, 415, 451, 501])
def test_a_head_that_is_refused_is_followed_by_get(server: ScriptedServer, status: int) -> None:
    client = known(server)
    server.expect("HEAD", tag("1"), status).expect("GET", tag("1"), 200, CONTENT, TYPED)
    assert client.head_manifest("a", "1") == MANIFEST.descriptor
    server.expect("HEAD", BLOB, status)
    server.expect("GET", BLOB, 206, b"x", {"Content-Range": f"bytes 0-0/{len(LAYER)}"})
    assert client.head_blob("a", DIGEST) == len(LAYER)
    assert server.requests[-1].header("Range") == "bytes=0-0"


def test_the_reason_that_get_has_is_told(server: ScriptedServer) -> None:
    reason = {"errors": [{"code": "PROJECTPOLICYVIOLATION", "message": "current image is not scanned"}]}
    server.expect("HEAD", tag("1"), 412).expect("GET", tag("1"), 412, reason)
    with pytest.raises(UnexpectedAnswer, match="PROJECTPOLICYVIOLATION: current image is not scanned"):
        registry(server).head_manifest("a", "1")


def test_a_failure_of_head_that_may_pass_is_not_followed_by_get(server: ScriptedServer) -> None:
    server.expect("HEAD", tag("1"), 503).expect("HEAD", BLOB, 500)
    client = registry(server)
    with pytest.raises(UnexpectedAnswer):
        client.head_manifest("a", "1")
    with pytest.raises(UnexpectedAnswer):
        client.head_blob("a", DIGEST)


def test_a_proxy_that_wants_a_login_is_not_asked_again(server: ScriptedServer) -> None:
    server.expect("HEAD", tag("1"), 407).expect("HEAD", BLOB, 407)
    client = registry(server)
    for look in (lambda: client.head_manifest("a", "1"), lambda: client.head_blob("a", DIGEST)):
        with pytest.raises(ConnectionFailed, match="the proxy asks for a login"):
            look()


# Blobs, and other hosts -----------------------------------------------------------------------------------------------


def test_a_blob_that_head_denies_and_get_has_is_there(server: ScriptedServer) -> None:
    client = known(server)
    server.expect("HEAD", BLOB, 404).expect("GET", BLOB, 206, b"x", {"Content-Range": "bytes 0-0/*"})
    assert client.head_blob("a", DIGEST) == -1


@pytest.mark.parametrize("status", [400, 416])
def test_a_blob_is_asked_for_as_a_whole_where_a_byte_of_it_is_refused(server: ScriptedServer, status: int) -> None:
    client = known(server)
    server.expect("HEAD", BLOB, 405).expect("GET", BLOB, status).expect("GET", BLOB, 200, LAYER)
    assert client.head_blob("a", DIGEST) == len(LAYER)
    assert server.requests[-1].header("Range") is None


class Storage:
    """A registry that redirects all that is asked of a blob to a storage."""

    def __init__(self, serve: Serve) -> None:
        self.registry, self.storage = serve(), serve()
        self.storage.is_plain = True
        self.client = known(self.registry)

    def expect(self, method: str, status: int, body: t.Any = b"", headers: t.Mapping[str, str] | None = None) -> None:
        location = {"Location": f"{self.storage.url}/blob?signature=x"}
        self.registry.expect(method, BLOB, 307, headers=location)
        self.storage.expect(method, "/blob?signature=x", status, body, headers or PLAIN)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
def test_an_error_of_a_storage_to_head_is_not_the_registrys(serve: Serve, status: int) -> None:
    place = Storage(serve)
    place.expect("HEAD", status)
    place.expect("GET", 206, b"x", {"Content-Range": f"bytes 0-0/{len(LAYER)}"})
    assert place.client.head_blob("a", DIGEST) == len(LAYER)
    assert place.storage.requests[-1].header("Range") == "bytes=0-0"


def test_a_storage_that_refuses_a_part_is_asked_for_the_whole(serve: Serve) -> None:
    place = Storage(serve)
    place.expect("HEAD", 403)
    place.expect("GET", 403)
    place.expect("GET", 200, LAYER)
    assert place.client.head_blob("a", DIGEST) == len(LAYER)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_a_storage_has_lost_is_not_absent(serve: Serve, status: int) -> None:
    place = Storage(serve)

    def lost() -> None:
        place.expect("HEAD", status)
        for _time in range(2 if status == 403 else 1):
            place.expect("GET", status, "<Error><Code>NoSuchKey</Code></Error>", {"Content-Type": "application/xml"})

    lost()
    with pytest.raises(RedirectFailed, match="127.0.0.1, to which the registry redirects, answers 'NoSuchKey'"):
        place.client.head_blob("a", DIGEST)
    lost()
    assert size_to_skip(place.client, "a", DIGEST) is None
    lost()
    with pytest.raises(ContentMismatch if status == 404 else RedirectFailed):
        look_at_blob(place.client, "a", Descriptor("", DIGEST, len(LAYER)), read=False)
    place.expect("GET", status)
    with pytest.raises(RedirectFailed):
        place.client.get_blob("a", DIGEST)


def test_a_registry_behind_a_redirect_is_a_registry(serve: Serve) -> None:
    front, back = serve(), serve()
    client = known(front)
    for method, headers in (("HEAD", {"Docker-Distribution-Api-Version": "registry/2.0"}), ("GET", {})):
        front.expect(method, tag("1"), 307, headers={"Location": back.url + tag("1")})
        back.expect(method, tag("1"), 404, UNKNOWN, headers)
    assert client.head_manifest("a", "1") is None
