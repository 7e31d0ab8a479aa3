# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guards a tag holds at the moment of each try to write it, however long a registry has it waited for before."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._deletion import TEN_SECONDS, Pauses
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._http._limits import Limits
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers_index import list_under_subject
from ansible_collections.imageops.registry.plugins.module_utils._images._tagging import (
    TagItem,
    TagOutcome,
    move_tags,
)
from ansible_collections.imageops.registry.plugins.module_utils._images._untagging import delete_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    Conflict,
    InvalidInput,
    RedirectFailed,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Manifest
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    Naps,
    encoded,
    image,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import (
    PASSWORD,
    USER,
    Answer,
    HostileServer,
    Rule,
    Seen,
    answer,
    redirect_to,
)
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, promoted

pytestmark = pytest.mark.usefixtures("no_collection")

Hostile = t.Callable[..., HostileServer]
OLD, NEW, THIRD = (image(annotations={"version": version}) for version in ("old", "new", "third"))
OLD_DIGEST, NEW_DIGEST, THIRD_DIGEST = (compute_digest(encoded(document)) for document in (OLD, NEW, THIRD))
NAMES = {OLD_DIGEST: "old", NEW_DIGEST: "new", THIRD_DIGEST: "third"}
TAG = "/v2/a/b/manifests/1"
LATER = [
    pytest.param(429, (("Retry-After", "1"),), id="429"),
    pytest.param(429, (), id="429 without Retry-After"),
    pytest.param(429, (("Retry-After", "0"),), id="429 at once"),
    pytest.param(503, (("Retry-After", "1"),), id="503"),
    pytest.param(500, (), id="500"),
    pytest.param(401, (("WWW-Authenticate", 'Basic realm="tests"'),), id="401"),
]
"""Answers after which a request is sent again."""


def add(server: HostileServer, document: dict[str, t.Any], *tags: str) -> str:
    """Have a manifest there, to the byte as plans have it."""
    content = encoded(document)
    server.manifests.update((name, content) for name in (compute_digest(content), *tags))
    return compute_digest(content)


def served(server: HostileServer) -> str:
    """What the tag serves; empty where it isn't there."""
    return NAMES[compute_digest(server.manifests["1"])] if "1" in server.manifests else ""


def client(server: HostileServer, *, before_tag: t.Callable[[], None] = lambda: None, **options: t.Any) -> Registry:
    options.setdefault("retries", 2)
    options.setdefault("credential", Credential(USER, PASSWORD))
    return Registry(transport(server.host, **options), writing=True, pushed_to=True, before_tag=before_tag)


def once(meanwhile: t.Callable[[], object], status: int, headers: tuple[tuple[str, str], ...] = ()) -> Rule:
    """Answer the first such request so, and let something happen meanwhile."""
    asked: list[Seen] = []

    def rule(seen: Seen) -> Answer | None:
        asked.append(seen)
        if len(asked) > 1:
            return None
        meanwhile()
        return Answer(status, headers)

    return rule


def moved(registry: Registry, previous: str | None, content: bytes | None = encoded(NEW)) -> TagOutcome | RegistryError:
    (outcome,) = move_tags(registry, [TagItem("a/b", "1", NEW_DIGEST, previous, content)], check=False)
    return outcome


@pytest.fixture
def server(hostile: Hostile) -> HostileServer:
    found: HostileServer = hostile()
    add(found, NEW)
    return found


def writes(server: HostileServer) -> list[str]:
    return [request for request in server.requests if request.startswith(("PUT", "DELETE"))]


@pytest.mark.parametrize(("status", "headers"), LATER)
def test_a_tag_that_moves_while_its_push_waits_is_left_where_it_is(
    server: HostileServer, status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    add(server, OLD, "1")
    server.on("PUT", TAG, once(lambda: add(server, THIRD, "1"), status, headers))
    outcome = moved(client(server), OLD_DIGEST)
    assert isinstance(outcome, Conflict) and f"to {THIRD_DIGEST}, and {OLD_DIGEST} was expected" in str(outcome)
    assert (served(server), len(writes(server))) == ("third", 1)


@pytest.mark.parametrize(("status", "headers"), LATER)
def test_a_tag_that_is_made_while_its_push_waits_is_left_where_it_is(
    server: HostileServer, status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    server.on("PUT", TAG, once(lambda: add(server, THIRD, "1"), status, headers))
    outcome = moved(client(server), "")
    assert isinstance(outcome, Conflict) and "no tag was expected" in str(outcome)
    assert (served(server), len(writes(server))) == ("third", 1)


@pytest.mark.parametrize(("status", "headers"), LATER)
@pytest.mark.parametrize("delete_manifest", [False, True])
def test_a_tag_that_moves_while_its_delete_waits_is_left_where_it_is(
    server: HostileServer, status: int, headers: tuple[tuple[str, str], ...], delete_manifest: bool
) -> None:
    add(server, OLD, "1")
    if delete_manifest:
        server.on("DELETE", TAG, answer(405))
    path = f"/v2/a/b/manifests/{OLD_DIGEST}" if delete_manifest else TAG
    server.on("DELETE", path, once(lambda: add(server, THIRD, "1"), status, headers))
    item = TagItem("a/b", "1", "", OLD_DIGEST)
    (outcome,) = delete_tags(client(server), [item], delete_manifest=delete_manifest, check=False)
    assert isinstance(outcome, Conflict) and f"it points to {THIRD_DIGEST}" in str(outcome)
    assert (served(server), len(writes(server))) == ("third", 1 + delete_manifest)


def test_a_manifest_whose_tag_moves_while_its_delete_waits_stays_although_nothing_guards_the_tag(
    server: HostileServer,
) -> None:
    add(server, OLD, "1")
    server.on("DELETE", TAG, answer(405))
    server.on("DELETE", f"/v2/a/b/manifests/{OLD_DIGEST}", once(lambda: add(server, THIRD, "1"), 429))
    (outcome,) = delete_tags(client(server), [TagItem("a/b", "1", "")], delete_manifest=True, check=False)
    assert isinstance(outcome, Conflict)
    assert len(writes(server)) == 2


@pytest.mark.parametrize("options", [{"on_conflict": "fail"}, {"immutable_tags": (".*",)}, {"on_conflict": "replace"}])
@pytest.mark.parametrize("expected", [None, ""])
@pytest.mark.parametrize(("status", "headers"), LATER[:4])
def test_no_promotion_overwrites_a_tag_that_is_made_while_its_push_waits(
    hostile: Hostile,
    status: int,
    headers: tuple[tuple[str, str], ...],
    expected: str | None,
    options: dict[str, t.Any],
) -> None:
    source, destination = hostile(), hostile()
    add(source, NEW, "1")
    source.blobs.update({DIGEST: LAYER, compute_digest(CONFIG): CONFIG})
    destination.on("PUT", TAG, once(lambda: add(destination, THIRD, "1"), status, headers))
    item = image_item("a/b", tag="1", tags=("1",), expected_destination_digest=expected, **options)
    result = promoted(client(source), client(destination), item)
    assert result["images"][0]["action"] == "failed" and THIRD_DIGEST in result["images"][0]["reason"]
    assert served(destination) == "third"


def test_a_tag_that_moves_while_another_thread_is_told_to_wait_is_left_where_it_is(server: HostileServer) -> None:
    """Between the look and the push, the answer to another request has all wait."""
    add(server, OLD, "1")
    limits = Limits(longest_wait=5.0)
    endpoint = transport(server.host, retries=2).endpoint
    naps = Naps()

    def sleep(seconds: float) -> None:
        naps(seconds)
        if seconds:
            add(server, THIRD, "1")

    registry = Registry(Transport(endpoint, Counters(), limits=limits, sleep=sleep), writing=True, pushed_to=True)
    paused: list[float] = []

    def pause(outcome: TagOutcome) -> None:
        if not paused:
            paused.append(1.0)
            limits.pause(1.0)

    item = TagItem("a/b", "1", NEW_DIGEST, OLD_DIGEST, encoded(NEW))
    (outcome,) = move_tags(registry, [item], check=False, before_write=pause)
    assert isinstance(outcome, Conflict) and THIRD_DIGEST in str(outcome)
    assert naps.seconds and writes(server) == []


def test_a_tag_that_moves_while_its_manifest_is_waited_for_is_left_where_it_is(server: HostileServer) -> None:
    add(server, OLD, "1")
    server.on("GET", f"/v2/a/b/manifests/{NEW_DIGEST}", once(lambda: add(server, THIRD, "1"), 503))
    outcome = moved(client(server), OLD_DIGEST, None)
    assert isinstance(outcome, Conflict) and THIRD_DIGEST in str(outcome)
    assert writes(server) == []


def test_a_tag_that_moves_while_its_token_is_waited_for_is_left_where_it_is(hostile: Hostile) -> None:
    """A delete needs another token than a look."""
    server = hostile(login="bearer")
    add(server, OLD, "1")
    tokens = [once(lambda: None, 200)]

    def throttled(seen: Seen) -> Answer | None:
        if "delete" in seen.target and tokens:
            tokens.pop()
            add(server, THIRD, "1")
            return Answer(429, (("Retry-After", "1"),))
        return None

    server.on("GET", "/token", throttled)
    item = TagItem("a/b", "1", "", OLD_DIGEST)
    (outcome,) = delete_tags(client(server), [item], delete_manifest=False, check=False)
    assert isinstance(outcome, Conflict) and THIRD_DIGEST in str(outcome)
    assert tokens == [] and writes(server) == []


def test_a_tag_that_moves_while_the_registry_misses_its_content_is_left_where_it_is(server: HostileServer) -> None:
    add(server, OLD, "1")
    missing = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}'
    rule = once(lambda: add(server, THIRD, "1"), 404)

    def refuse(seen: Seen) -> Answer | None:
        found = rule(seen)
        return None if found is None else found._replace(body=(missing,))

    server.on("PUT", TAG, refuse)
    outcome = moved(client(server), OLD_DIGEST)
    assert isinstance(outcome, Conflict) and THIRD_DIGEST in str(outcome)
    assert served(server) == "third"


def test_a_push_that_happened_although_it_failed_is_ours(server: HostileServer) -> None:
    add(server, OLD, "1")
    server.on("PUT", TAG, once(lambda: add(server, NEW, "1"), 500))
    assert moved(client(server), OLD_DIGEST) == TagOutcome("a/b", "1", NEW_DIGEST, OLD_DIGEST, "replace")
    assert len(writes(server)) == 1


def test_a_delete_that_happened_although_it_failed_is_ours(server: HostileServer) -> None:
    add(server, OLD, "1")
    server.on("DELETE", TAG, once(lambda: server.manifests.pop("1"), 503))
    item = TagItem("a/b", "1", "", OLD_DIGEST)
    (outcome,) = delete_tags(client(server), [item], delete_manifest=False, check=False)
    assert outcome == TagOutcome("a/b", "1", "", OLD_DIGEST, "delete")
    assert len(writes(server)) == 1


@pytest.mark.parametrize("removes", [False, True])
def test_an_unguarded_tag_is_written_again_and_told_from_where(server: HostileServer, removes: bool) -> None:
    add(server, OLD, "1")
    method = "DELETE" if removes else "PUT"
    server.on(method, TAG, once(lambda: add(server, THIRD, "1"), 429))
    server.on("DELETE", TAG, lambda seen: server.manifests.pop("1") and Answer(202))
    if removes:
        item = TagItem("a/b", "1", "")
        (outcome,) = delete_tags(client(server), [item], delete_manifest=False, check=False)
        assert outcome == TagOutcome("a/b", "1", "", THIRD_DIGEST, "delete")
    else:
        assert moved(client(server), None) == TagOutcome("a/b", "1", NEW_DIGEST, THIRD_DIGEST, "replace")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_each_try_asks_whether_ansible_still_lives(server: HostileServer, method: str) -> None:
    add(server, OLD, "1")
    server.on(method, TAG, answer(503))
    asked: list[int] = []

    def before_tag() -> None:
        asked.append(len(writes(server)))
        if len(asked) == 2:
            raise InvalidInput("the play has ended")

    registry = client(server, before_tag=before_tag)
    if method == "PUT":
        outcome: t.Any = moved(registry, OLD_DIGEST)
    else:
        (outcome,) = delete_tags(registry, [TagItem("a/b", "1", "")], delete_manifest=False, check=False)
    assert isinstance(outcome, InvalidInput) and "the play has ended" in str(outcome)
    assert asked == [0, 1] and len(writes(server)) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_that_never_takes_a_tag_is_asked_as_often_as_anything_else(
    server: HostileServer, status: int
) -> None:
    add(server, OLD, "1")
    server.on("PUT", TAG, answer(status))
    outcome = moved(client(server, retries=3), OLD_DIGEST)
    assert isinstance(outcome, RegistryError) and outcome.status == status and outcome.temporary
    assert len(writes(server)) == 4 and served(server) == "old"


@pytest.mark.parametrize("content", [encoded(NEW), None])
@pytest.mark.parametrize("requests_per_second", [0.0, 1000.0])
def test_a_tag_that_nothing_delays_is_looked_at_once(
    server: HostileServer, content: bytes | None, requests_per_second: float
) -> None:
    add(server, OLD, "1")
    outcome = moved(client(server, requests_per_second=requests_per_second), OLD_DIGEST, content)
    assert isinstance(outcome, TagOutcome) and outcome.action == "replace"
    read = [f"GET /v2/a/b/manifests/{NEW_DIGEST}"] if content is None else []
    looks = server.requests.count(f"HEAD {TAG}")
    assert server.requests == [f"HEAD {TAG}", *read, *[f"HEAD {TAG}"] * (looks - 1), f"PUT {TAG}"]
    assert looks == 1 or (content is None and requests_per_second)


def test_nothing_is_waited_for_between_the_look_and_the_push(server: HostileServer) -> None:
    add(server, OLD, "1")
    slept: list[tuple[int, int]] = []

    def sleep(seconds: float) -> None:
        slept.append((len(server.requests), round(seconds / 100)))

    endpoint = transport(server.host, requests_per_second=0.01, retries=2).endpoint
    registry = Registry(Transport(endpoint, Counters(), sleep=sleep), writing=True, pushed_to=True)
    registry.get_manifest("a/b", NEW_DIGEST)
    outcome = moved(registry, OLD_DIGEST)
    assert isinstance(outcome, TagOutcome) and outcome.action == "replace"
    registry.get_manifest("a/b", NEW_DIGEST)
    read = f"GET /v2/a/b/manifests/{NEW_DIGEST}"
    assert server.requests == [read, f"HEAD {TAG}", f"PUT {TAG}", read]
    # The look waits for its turn. The push takes one as well, for which the next request waits.
    assert slept == [(1, 1), (3, 3)]


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_a_registry_that_asks_for_a_login_only_to_write_is_looked_at_again_after_it(
    hostile: Hostile, login: str
) -> None:
    server = hostile()
    asks = 'Basic realm="tests"' if login == "basic" else f'Bearer realm="{server.realm}",service="tests"'
    add(server, OLD, "1")
    add(server, NEW)
    server.on(
        "PUT",
        TAG,
        lambda seen: None if dict(seen.headers).get("authorization") else Answer(401, (("WWW-Authenticate", asks),)),
    )
    assert moved(client(server), OLD_DIGEST) == TagOutcome("a/b", "1", NEW_DIGEST, OLD_DIGEST, "replace")
    assert [request for request in server.requests if request.endswith(TAG)] == [
        *(f"HEAD {TAG}", f"PUT {TAG}", f"HEAD {TAG}", f"PUT {TAG}")
    ]


def test_what_others_add_to_a_list_of_referrers_while_its_push_waits_is_kept(server: HostileServer) -> None:
    subject = add(server, OLD)
    about = {"mediaType": OCI_MANIFEST, "digest": subject, "size": len(encoded(OLD))}
    ours, theirs = (Manifest.parse(encoded(image(subject=about, annotations={"by": name}))) for name in ("us", "them"))
    tag = referrers_tag(subject)
    server.manifests[ours.digest], server.manifests[theirs.digest] = ours.content, theirs.content
    server.on("GET", "/v2/a/b/referrers/.*", answer(404))
    listing = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": theirs.media_type, "digest": theirs.digest, "size": theirs.size}],
    }
    server.on("PUT", f"/v2/a/b/manifests/{tag}", once(lambda: add(server, listing, tag), 429))
    list_under_subject(client(server), "a/b", subject, [ours], check=False, pauses=Pauses(TEN_SECONDS))
    listed = {child.digest for child in Manifest.parse(server.manifests[tag]).children()}
    assert listed == {ours.digest, theirs.digest}


# Who answers ---------------------------------------------------------------------------------------------------------

FOREIGN = {
    "absent": answer(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]}, Docker_Distribution_Api_Version="registry/2.0"),
    "denied": answer(403, {"errors": [{"code": "DENIED"}]}, Docker_Distribution_Api_Version="registry/2.0"),
    "there": lambda seen: None,
}


@pytest.mark.parametrize("methods", ["HEAD|GET", "HEAD", "GET"])
@pytest.mark.parametrize("said", list(FOREIGN))
def test_no_other_host_says_what_a_guarded_tag_serves(hostile: Hostile, said: str, methods: str) -> None:
    storage, destination = hostile(name="localhost"), hostile()
    add(storage, OLD, "1")
    storage.on("HEAD|GET", TAG, FOREIGN[said])
    destination.on(methods, TAG, redirect_to(storage.url))
    if methods == "GET":
        destination.on("HEAD", TAG, answer(404))
    with pytest.raises(RedirectFailed, match="redirects this to localhost:.*only its own answer may decide"):
        client(destination).head_manifest("a/b", "1", Purpose.GUARD)


@pytest.mark.parametrize("options", [{"on_conflict": "fail"}, {"on_conflict": "skip"}, {"immutable_tags": (".*",)}])
def test_a_storage_cannot_have_a_protected_tag_overwritten(hostile: Hostile, options: dict[str, t.Any]) -> None:
    source, storage, destination = hostile(), hostile(name="localhost"), hostile()
    add(source, NEW, "1")
    add(destination, OLD, "1")
    source.blobs.update({DIGEST: LAYER, compute_digest(CONFIG): CONFIG})
    storage.on("HEAD|GET", TAG, FOREIGN["absent"])
    destination.on("HEAD|GET", TAG, redirect_to(storage.url))
    result = promoted(client(source), client(destination), image_item("a/b", tag="1", tags=("1",), **options))
    assert result["images"][0]["action"] == "failed" and served(destination) == "old"


def test_a_source_that_stands_in_front_of_another_registry_can_be_read(hostile: Hostile) -> None:
    behind, front = hostile(name="localhost"), hostile()
    add(behind, OLD, "1")
    front.on("HEAD|GET", TAG, redirect_to(behind.url))
    source = Registry(transport(front.host), writing=False)
    found = source.head_manifest("a/b", "1", Purpose.GUARD)
    assert found is not None and found.digest == OLD_DIGEST
