# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a source serves in place of what was promised: it is refused in one sentence, and nothing is visible."""

from __future__ import annotations

import gzip
import itertools
import json
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._download import DownloadItem, download_blobs
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import Referrers
from ansible_collections.imageops.registry.plugins.module_utils._images._inspection import (
    manifest_digests,
    read_config,
    read_tree,
)
from ansible_collections.imageops.registry.plugins.module_utils._layout._opening import open_layout
from ansible_collections.imageops.registry.plugins.module_utils._model._actions import DIRECTORY
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    InvalidInput,
    ProtocolViolation,
    RegistryError,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    MAXIMUM_SIZE,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry import _pages, _referrers_lookup
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
    index,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import (
    Answer,
    HostileServer,
    Rule,
    Seen,
    answer,
)
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, promoted

pytestmark = pytest.mark.usefixtures("no_collection")

Hostile = t.Callable[..., HostileServer]
IMAGE_DIGEST = compute_digest(json.dumps(image()).encode())
WRONG = b"not really A layer"
DEEP = b"[" * 200000 + b"]" * 200000
DEEP_OBJECT = b'{"a":' * 200000 + b"1" + b"}" * 200000


def registry(server: HostileServer, **options: t.Any) -> Registry:
    options.setdefault("retries", 1)
    return Registry(transport(server.host, **options), writing=True)


@pytest.fixture
def source(hostile: Hostile) -> HostileServer:
    """With an image ``1`` in it, and its blobs."""
    server = hostile()
    server.blobs.update({DIGEST: LAYER, compute_digest(CONFIG): CONFIG})
    server.add(image(), "1")
    return server


@pytest.fixture
def destination(hostile: Hostile) -> HostileServer:
    return hostile()


def promote(source: HostileServer, destination: HostileServer, **more: t.Any) -> list[str]:
    """Promote the image ``1``. Returns what failed, in words."""
    result = promoted(registry(source), registry(destination), image_item("a/b", tag="1", tags=("1",), **more))
    return [image["reason"] for image in result["images"] if image["reason"]]


def assert_nothing_visible(destination: HostileServer, *, blobs: t.Collection[str] = ()) -> None:
    """Neither manifest nor tag, and no blob but those that are right."""
    assert not destination.manifests
    assert set(destination.blobs) <= {compute_digest(CONFIG), *blobs}


def endless(piece: bytes) -> t.Iterator[bytes]:
    return itertools.repeat(piece * 1000)


def test_an_image_that_is_right_is_promoted(source: HostileServer, destination: HostileServer) -> None:
    assert promote(source, destination) == []
    assert destination.manifests["1"] == source.manifests["1"] and destination.blobs == source.blobs


# Blobs ---------------------------------------------------------------------------------------------------------------

WRONG_BLOBS: dict[str, Rule] = {
    "other bytes": answer(200, WRONG),
    "fewer bytes": answer(200, LAYER[:-1]),
    "more bytes": answer(200, LAYER + b"x"),
    "nothing": answer(200),
    "twice": answer(200, LAYER + LAYER),
    "cut off cleanly": lambda seen: Answer(200, (), (LAYER[:9],), None),
    "cut off": lambda seen: Answer(200, (), (LAYER[:9],), str(len(LAYER))),
    "endless": lambda seen: Answer(200, (), endless(b"x"), None),
    "right, and endless": lambda seen: Answer(200, (), itertools.chain([LAYER], endless(b"x")), None),
    "compressed, and says so": answer(200, gzip.compress(LAYER), Content_Encoding="gzip"),
    "a page": answer(200, b"<!doctype html><title>Log in</title>", Content_Type="text/html"),
    "another range": answer(206, LAYER[5:], Content_Range=f"bytes 5-{len(LAYER) - 1}/{len(LAYER)}"),
}


@pytest.mark.parametrize("wrong", WRONG_BLOBS)
def test_a_blob_that_is_not_the_one_that_was_promised_is_refused(
    source: HostileServer, destination: HostileServer, wrong: str
) -> None:
    source.on("GET", f".*/blobs/{DIGEST}", WRONG_BLOBS[wrong])
    (failure,) = promote(source, destination)
    assert source.host in failure or destination.host in failure
    assert "a/b" in failure and DIGEST in failure
    assert_nothing_visible(destination)


@pytest.mark.parametrize("wrong", WRONG_BLOBS)
def test_a_wrong_blob_leaves_no_file(source: HostileServer, tmp_path: pathlib.Path, wrong: str) -> None:
    source.on("GET", f".*/blobs/{DIGEST}", WRONG_BLOBS[wrong])
    moved: list[str] = []
    item = DownloadItem("a/b", DIGEST, len(LAYER), str(tmp_path / "layer"))
    (outcome,) = download_blobs(registry(source), [item], lambda old, new: moved.append(new), check=False)
    assert isinstance(outcome, RegistryError) and DIGEST in str(outcome)
    assert not moved and not (tmp_path / "layer").exists()


@pytest.mark.parametrize("wrong", WRONG_BLOBS)
def test_a_wrong_blob_is_in_no_layout(source: HostileServer, tmp_path: pathlib.Path, wrong: str) -> None:
    source.on("GET", f".*/blobs/{DIGEST}", WRONG_BLOBS[wrong])
    path = tmp_path / "layout"
    layout = open_layout(str(path), DIRECTORY, Counters(), writing=True, jobs=1, names={})
    result = promoted(registry(source), layout, image_item("a/b", tag="1", tags=("1",)))
    layout.commit()
    layout.close()
    assert DIGEST in result["images"][0]["reason"]
    assert not list(path.rglob(DIGEST.partition(":")[2]))


@pytest.mark.parametrize("size", [len(LAYER) - 1, len(LAYER) + 1, 0, 2**53])
def test_a_size_that_is_not_the_descriptors_is_refused(
    source: HostileServer, destination: HostileServer, size: int
) -> None:
    source.manifests.clear()
    source.add(image(layers=[{**descriptor(), "size": size}]), "1")
    (failure,) = promote(source, destination)
    assert DIGEST in failure
    assert_nothing_visible(destination)


def test_a_destination_that_has_the_blob_in_another_size_gets_it_again(
    source: HostileServer, destination: HostileServer
) -> None:
    destination.blobs[DIGEST] = LAYER[:5]
    assert promote(source, destination) == []
    assert destination.blobs[DIGEST] == LAYER


# Manifests -----------------------------------------------------------------------------------------------------------

OTHER_IMAGE = encoded(image(annotations={"a": "other"}))
TYPE = {"Content_Type": OCI_MANIFEST}
WRONG_MANIFESTS: dict[str, Rule] = {
    "another": answer(200, OTHER_IMAGE, **TYPE),
    "one byte more": answer(200, json.dumps(image()).encode() + b"\n", **TYPE),
    "cut off cleanly": lambda seen: Answer(200, (), (json.dumps(image()).encode()[:99],), None),
    "compressed, and says so": answer(
        200, gzip.compress(json.dumps(image()).encode()), Content_Encoding="gzip", **TYPE
    ),
    "larger than 4 MiB": answer(200, json.dumps(image()).encode() + b" " * MAXIMUM_SIZE, **TYPE),
    "endless": lambda seen: Answer(200, (("Content-Type", OCI_MANIFEST),), endless(b" "), None),
    "too deep": answer(200, DEEP, **TYPE),
    "objects too deep": answer(200, DEEP_OBJECT, **TYPE),
}


@pytest.mark.parametrize("wrong", WRONG_MANIFESTS)
def test_a_manifest_that_is_not_the_one_that_was_asked_for_is_refused(
    source: HostileServer, destination: HostileServer, wrong: str
) -> None:
    source.on("GET", f".*/manifests/({IMAGE_DIGEST}|1)", WRONG_MANIFESTS[wrong])
    client = registry(source)
    with pytest.raises(RegistryError) as caught:
        client.get_manifest("a/b", IMAGE_DIGEST)
    assert f"{source.host}/a/b@{IMAGE_DIGEST}" in str(caught.value)
    (failure,) = promote(source, destination)
    assert source.host in failure and "a/b" in failure
    assert_nothing_visible(destination)
    assert not destination.blobs


@pytest.mark.parametrize("wrong", ["larger than 4 MiB", "endless", "too deep", "objects too deep"])
def test_a_manifest_by_tag_has_the_same_limits(source: HostileServer, wrong: str) -> None:
    source.on("GET", ".*/manifests/1", WRONG_MANIFESTS[wrong])
    with pytest.raises((ProtocolViolation, InvalidInput)):
        registry(source).get_manifest("a/b", "1")


def test_a_manifest_of_more_than_4_mib_is_refused_wherever_it_comes_from(source: HostileServer) -> None:
    content = json.dumps(image()).encode() + b" " * MAXIMUM_SIZE
    digest = compute_digest(content)
    source.manifests.update({digest: content, "large": content})
    for reference in (digest, "large"):
        with pytest.raises(ProtocolViolation, match="larger than 4194304 bytes"):
            registry(source).get_manifest("a/b", reference)
    with pytest.raises(InvalidInput, match="larger than 4194304 bytes"):
        Manifest.parse(content)


def test_a_tag_whose_bytes_have_not_the_digest_of_the_answer_is_refused(source: HostileServer) -> None:
    source.on("GET", ".*/manifests/1", answer(200, OTHER_IMAGE, Docker_Content_Digest=IMAGE_DIGEST, **TYPE))
    with pytest.raises(ProtocolViolation, match="the bytes have"):
        registry(source).get_manifest("a/b", "1")


def test_a_head_that_answers_another_digest_is_refused(source: HostileServer) -> None:
    source.on("HEAD", ".*", answer(200, json.dumps(image()).encode(), Docker_Content_Digest=OTHER_DIGEST, **TYPE))
    with pytest.raises(ProtocolViolation, match="another digest"):
        registry(source).head_manifest("a/b", IMAGE_DIGEST)


def test_a_destination_that_says_that_it_stored_another_digest_fails(
    source: HostileServer, destination: HostileServer
) -> None:
    destination.on("PUT", ".*/manifests/.*", answer(201, Docker_Content_Digest=OTHER_DIGEST))
    (failure,) = promote(source, destination)
    assert "stored another digest" in failure
    destination.on("PUT", "/uploads/.*", answer(201, Docker_Content_Digest=OTHER_DIGEST))
    client = registry(destination)
    with pytest.raises(ProtocolViolation, match="stored another digest"):
        client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)


def test_a_destination_that_stores_under_another_algorithm_only_fails(destination: HostileServer) -> None:
    destination.on("PUT", "/uploads/.*", answer(201, Docker_Content_Digest="sha512:" + "a" * 128))
    for method in ("HEAD", "GET"):
        destination.on(method, ".*/blobs/sha256:.*", answer(404))
    client = registry(destination)
    with pytest.raises(Unsupported, match="not under its sha256 digest"):
        client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)


def test_a_destination_that_takes_a_tag_and_serves_another_digest_fails(
    source: HostileServer, destination: HostileServer
) -> None:
    def keep_other(seen: Seen) -> Answer:
        destination.manifests["1"] = OTHER_IMAGE
        return Answer(201)

    destination.on("PUT", ".*/manifests/1", keep_other)
    assert promote(source, destination) != []


# Lists ---------------------------------------------------------------------------------------------------------------

LISTS: dict[str, t.Callable[[Registry], object]] = {
    "tags": lambda client: client.list_tags("a/b"),
    "catalog": lambda client: client.list_repositories(),
    "referrers": lambda client: client.list_referrers("a/b", DIGEST),
}
PATHS = {"tags": ".*/tags/list", "catalog": "/v2/_catalog", "referrers": ".*/referrers/.*"}


def page(what: str, name: str) -> dict[str, t.Any]:
    if what == "referrers":
        return index(descriptor(name.encode(), OCI_MANIFEST))
    return {"tags" if what == "tags" else "repositories": [name]}


def pages(what: str, *, names: t.Callable[[int], str]) -> Rule:
    """One after the other, without an end."""
    count = itertools.count()

    def answer_page(seen: Seen) -> Answer:
        number = next(count)
        headers = (("Content-Type", OCI_INDEX), ("Link", f'<?last={number}>; rel="next"'))
        return Answer(200, headers, (json.dumps(page(what, names(number))).encode(),))

    return answer_page


@pytest.mark.parametrize("what", ["tags", "catalog"])
def test_pages_without_an_end_that_say_nothing_new_are_given_up(source: HostileServer, what: str) -> None:
    source.on("GET", PATHS[what], pages(what, names=lambda number: "same"))
    with pytest.raises(ProtocolViolation, match="in circles"):
        LISTS[what](registry(source))
    assert len(source.seen) < 100


@pytest.mark.parametrize("what", LISTS)
def test_pages_without_an_end_are_given_up(source: HostileServer, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pages, "_MAXIMUM_PAGES", 20)
    monkeypatch.setattr(_pages, "_MAXIMUM_NAMES", 200)
    monkeypatch.setattr(_referrers_lookup, "_MAXIMUM_REFERRERS", 200)
    source.on("GET", PATHS[what], pages(what, names=lambda number: f"name-{number}"))
    with pytest.raises(ProtocolViolation, match="more than 20 pages"):
        LISTS[what](registry(source))
    assert len(source.seen) == 20


@pytest.mark.parametrize("what", LISTS)
def test_lists_without_an_end_are_given_up(source: HostileServer, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pages, "_MAXIMUM_PAGES", 200)
    monkeypatch.setattr(_pages, "_MAXIMUM_NAMES", 20)
    monkeypatch.setattr(_referrers_lookup, "_MAXIMUM_REFERRERS", 20)
    source.on("GET", PATHS[what], pages(what, names=lambda number: f"name-{number}"))
    with pytest.raises(ProtocolViolation, match="lists more than 20"):
        LISTS[what](registry(source))
    assert len(source.seen) == 21


@pytest.mark.parametrize("what", LISTS)
def test_a_list_that_goes_back_to_an_earlier_page_ends(
    source: HostileServer, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pages, "_MAXIMUM_NAMES", 200)
    monkeypatch.setattr(_referrers_lookup, "_MAXIMUM_REFERRERS", 200)
    number = itertools.count()
    rule = pages(what, names=lambda number: f"name-{number}")

    def circle(seen: Seen) -> Answer:
        found = rule(seen)
        assert found is not None
        return found._replace(headers=(found.headers[0], ("Link", f'<?last={next(number) % 3}>; rel="next"')))

    source.on("GET", PATHS[what], circle)
    LISTS[what](registry(source))
    assert len(source.seen) == 4


NO_LISTS = [DEEP, DEEP_OBJECT, gzip.compress(b'{"tags": []}'), b"\xff", b'{"tags": 1, "repositories": 1}', b"null"]


@pytest.mark.parametrize("body", NO_LISTS)
@pytest.mark.parametrize("what", sorted(set(LISTS) - {"referrers"}))
def test_a_list_that_is_none_is_refused(source: HostileServer, what: str, body: bytes) -> None:
    source.on("GET", PATHS[what], answer(200, body, Content_Type=OCI_INDEX))
    with pytest.raises((ProtocolViolation, InvalidInput)):
        LISTS[what](registry(source))


@pytest.mark.parametrize("body", NO_LISTS)
def test_of_a_list_of_referrers_that_is_none_nothing_is_taken(source: HostileServer, body: bytes) -> None:
    source.on("GET", PATHS["referrers"], answer(200, body, Content_Type=OCI_INDEX))
    assert LISTS["referrers"](registry(source)) == Referrers((), "")


@pytest.mark.parametrize("what", LISTS)
def test_a_list_whose_body_has_no_end_is_refused(
    source: HostileServer, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pages, "_MAXIMUM_PAGE_SIZE", 100000)
    source.on("GET", PATHS[what], lambda seen: Answer(200, (("Content-Type", OCI_INDEX),), endless(b" "), None))
    with pytest.raises(ProtocolViolation, match="larger than 100000 bytes"):
        LISTS[what](registry(source))


# Other bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 405, 418, 500])
@pytest.mark.parametrize("body", [DEEP, b'{"errors":' + DEEP + b"}", b'{"errors":[{"code":' + DEEP + b"}]}"])
def test_an_error_that_is_too_deep_is_one_sentence(source: HostileServer, status: int, body: bytes) -> None:
    source.on("GET", ".*", answer(status, body))
    with pytest.raises(RegistryError) as caught:
        registry(source, retries=0).get_manifest("a/b", "1")
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_collection")
def test_an_error_whose_detail_is_as_deep_as_can_be_read_is_one_sentence(source: HostileServer) -> None:
    """What can just be read as JSON can't always be written again."""
    for depth in range(700, 1010, 3):
        body = b'{"errors":[{"code":"X","detail":' + b"[" * depth + b"]" * depth + b"}]}"
        source.on("GET", f".*/manifests/d{depth}", answer(418, body))
        with pytest.raises(RegistryError):
            registry(source, retries=0).get_manifest("a/b", f"d{depth}")


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
def test_no_answer_is_read_without_an_end(source: HostileServer, status: int) -> None:
    headers = (("Location", "/v2/"),) if status == 302 else (("WWW-Authenticate", "Basic realm=x"),)
    source.on("GET", ".*/(manifests|blobs)/.*", lambda seen: Answer(status, headers, endless(b"x"), None))
    with pytest.raises(RegistryError):
        registry(source, retries=0).get_manifest("a/b", "1")


@pytest.mark.parametrize("status", [200, 401, 403, 500])
@pytest.mark.parametrize("body", ["endless", "too deep"])
def test_a_token_server_with_an_absurd_answer_is_refused(hostile: Hostile, status: int, body: str) -> None:
    source = hostile(login="bearer")
    pieces = endless(b"x") if body == "endless" else (DEEP,)
    source.on("GET", "/token", lambda seen: Answer(status, (), pieces, None))
    with pytest.raises(RegistryError):
        registry(source, retries=0).list_tags("a/b")


@pytest.mark.parametrize("config", [DEEP, DEEP_OBJECT, b"[]", b"\xff", gzip.compress(b"{}")])
def test_a_config_that_is_none_is_no_traceback(source: HostileServer, config: bytes) -> None:
    source.blobs[compute_digest(config)] = config
    digest = source.add(image(config=descriptor(config, "application/vnd.oci.image.config.v1+json")))
    client = registry(source)
    assert read_config(client, "a/b", client.get_manifest("a/b", digest)) == {}


# Graphs --------------------------------------------------------------------------------------------------------------


def test_an_index_that_is_nested_too_deep_is_refused(source: HostileServer, destination: HostileServer) -> None:
    content = json.dumps(image()).encode()
    for _level in range(12):
        digest = source.add(index(descriptor(content, OCI_MANIFEST if _level == 0 else OCI_INDEX)), "1")
        content = source.manifests[digest]
    (failure,) = promote(source, destination)
    assert "levels" in failure
    assert_nothing_visible(destination)
    top = Manifest.parse(content).descriptor
    with pytest.raises(InvalidInput, match="levels"):
        manifest_digests(registry(source), "a/b", top)
    assert sum(seen.method == "GET" for seen in source.seen) < 40


def test_an_index_of_too_many_manifests_is_refused(source: HostileServer, destination: HostileServer) -> None:
    digest = source.add(index(*(descriptor(b"%d" % number, OCI_MANIFEST) for number in range(1001))), "1")
    (failure,) = promote(source, destination)
    assert "manifests" in failure
    assert len(source.seen) < 10
    with pytest.raises(InvalidInput, match="levels"):
        read_tree(registry(source), "a/b", digest)


def test_an_index_that_lists_itself_by_a_wrong_digest_is_refused(
    source: HostileServer, destination: HostileServer
) -> None:
    """A true digest can't be within what it is computed from: who lists himself lies."""
    digest = compute_digest(b"loop")
    loop = json.dumps(index({"mediaType": OCI_INDEX, "digest": digest, "size": 4})).encode()
    source.on("GET|HEAD", ".*/manifests/.*", answer(200, loop, Docker_Content_Digest=digest, Content_Type=OCI_INDEX))
    (failure,) = promote(source, destination)
    assert digest in failure
    assert_nothing_visible(destination)


def test_referrers_that_refer_to_each_other_are_an_end(source: HostileServer, destination: HostileServer) -> None:
    """The list is the registry's own word, so it can go in circles."""
    first = source.add(image(artifactType="application/x", subject=descriptor(b"gone", OCI_MANIFEST)))
    second = source.add(image(artifactType="application/y", subject=descriptor(b"gone", OCI_MANIFEST)))
    entries = [descriptor(source.manifests[digest], OCI_MANIFEST) for digest in (first, second, IMAGE_DIGEST)]
    everything = json.dumps(index(*entries)).encode()
    source.on("GET", ".*/referrers/.*", answer(200, everything, Content_Type=OCI_INDEX))
    assert promote(source, destination, artifacts=("all",)) == []
    asked = [seen.target for seen in source.seen if "/referrers/" in seen.target]
    assert len(asked) == len(set(asked)) == 3


def test_referrers_of_referrers_without_an_end_are_refused(source: HostileServer, destination: HostileServer) -> None:
    count = itertools.count()

    def another(seen: Seen) -> Answer:
        digest = source.add(image(annotations={"n": str(next(count))}, subject=descriptor(b"gone", OCI_MANIFEST)))
        listed = json.dumps(index(descriptor(source.manifests[digest], OCI_MANIFEST))).encode()
        return Answer(200, (("Content-Type", OCI_INDEX),), (listed,))

    source.on("GET", ".*/referrers/.*", another)
    (failure,) = promote(source, destination, artifacts=("all",))
    assert "artifacts" in failure or "levels" in failure
    assert next(count) < 20
    assert_nothing_visible(destination)


# Names and digests ---------------------------------------------------------------------------------------------------

TRICKS = ["../../x", "sha256:../../x", "sha256:" + "A" * 64, "sha256:" + "a" * 63 + "/", "md5:" + "a" * 32, ""]
TRICKS += ["sha256:" + "a" * 64 + "\n", "sha256:" + "a" * 64 + "/../x", "sha512:" + "a" * 64, "sha256:%2e%2e"]


@pytest.mark.parametrize("digest", TRICKS)
@pytest.mark.parametrize("where", ["config", "layer", "child", "subject", "referrer"])
def test_a_digest_with_a_path_in_it_leads_nowhere(
    source: HostileServer, destination: HostileServer, tmp_path: pathlib.Path, where: str, digest: str
) -> None:
    bad = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 3}
    documents = {"config": image(config=bad), "layer": image(layers=[bad]), "child": index(bad)}
    documents["subject"] = image(subject=bad)
    if where in documents:
        source.manifests.clear()
        source.add(documents[where], "1")
    listed = json.dumps(index(bad)).encode()
    source.on("GET", ".*/referrers/.*", answer(200, listed, Content_Type=OCI_INDEX))
    before = len(source.seen)
    failures = promote(source, destination, artifacts=("all",) if where == "referrer" else ())
    # A list of referrers is a hint: such an entry is left out.
    assert bool(failures) == (where != "referrer")
    asked = [seen.target for seen in (*source.seen[before:], *destination.seen)]
    assert not [target for target in asked if (digest and digest in target) or ".." in target]
    if failures:
        assert_nothing_visible(destination)


@pytest.mark.parametrize(
    "name", ["../../x", "a\r\nX: y", "a?b", "a#b", "%2e%2e", "/", "", " ", "a" * 300, "\ud800", "a\x1b[31m"]
)
def test_a_name_of_a_list_with_a_path_in_it_leads_nowhere(source: HostileServer, name: str) -> None:
    source.on("GET", ".*/tags/list", answer(200, {"tags": [name, "1"]}))
    source.on("GET", "/v2/_catalog", answer(200, {"repositories": [name, "a/b"]}))
    client = registry(source)
    assert name in client.list_tags("a/b") and name in client.list_repositories()
    before = len(source.seen)
    for call in (
        lambda: client.get_manifest("a/b", name),
        lambda: client.head_manifest("a/b", name),
        lambda: client.delete_manifest("a/b", name),
        lambda: client.put_manifest("a/b", name, Manifest.parse(encoded(image()))),
        lambda: client.list_tags(name),
        lambda: client.start_upload(name),
    ):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert "\x1b" not in str(caught.value) and "\r" not in str(caught.value)
    assert len(source.seen) == before


@pytest.mark.parametrize("digest", TRICKS)
def test_a_digest_in_a_header_with_a_path_in_it_is_not_believed(
    source: HostileServer, destination: HostileServer, digest: str
) -> None:
    value = digest.strip()
    rule = answer(200, json.dumps(image()).encode(), Docker_Content_Digest=value, Content_Type=OCI_MANIFEST)
    source.on("GET|HEAD", ".*/manifests/.*", rule)
    found = registry(source).head_manifest("a/b", "1")
    assert found is not None and found.digest == IMAGE_DIGEST or value == digest[:-1]


def test_a_location_with_dots_stays_on_its_origin(source: HostileServer) -> None:
    source.on("POST", ".*/uploads/", answer(202, Location="/v2/../../../../uploads/1?_state=x"))
    client = registry(source)
    client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)
    assert source.seen[-1].host == source.host and source.blobs[DIGEST] == LAYER


# What comes in pieces ------------------------------------------------------------------------------------------------


def test_a_blob_that_is_continued_with_other_bytes_is_refused(
    source: HostileServer, destination: HostileServer
) -> None:
    def go_on(seen: Seen) -> Answer:
        if "range" not in dict(seen.headers):
            return Answer(200, (), (LAYER[:9],), str(len(LAYER)))
        return Answer(206, (("Content-Range", f"bytes 9-{len(LAYER) - 1}/{len(LAYER)}"),), (WRONG[9:],))

    source.on("GET", f".*/blobs/{DIGEST}", go_on)
    (failure,) = promote(source, destination)
    assert DIGEST in failure and any("range" in dict(seen.headers) for seen in source.seen)
    assert_nothing_visible(destination)


def test_a_range_that_lies_about_where_it_begins_is_not_used(source: HostileServer, destination: HostileServer) -> None:
    def go_on(seen: Seen) -> Answer:
        if "range" not in dict(seen.headers):
            return Answer(200, (), (LAYER[:9],), str(len(LAYER)))
        return Answer(206, (("Content-Range", f"bytes 8-{len(LAYER) - 1}/{len(LAYER)}"),), (LAYER[8:],))

    source.on("GET", f".*/blobs/{DIGEST}", go_on)
    (failure,) = promote(source, destination)
    assert "broke off" in failure
    _pieces, start = registry(source).get_blob("a/b", DIGEST, 9)
    assert start == 0
    assert_nothing_visible(destination)


def test_a_body_that_ends_too_early_is_read_on_and_not_taken_for_whole(
    source: HostileServer, destination: HostileServer
) -> None:
    def cut_once(seen: Seen) -> Answer | None:
        return None if "range" in dict(seen.headers) else Answer(200, (), (LAYER[:9],), None)

    def the_rest(seen: Seen) -> Answer:
        return Answer(206, (("Content-Range", f"bytes 9-{len(LAYER) - 1}/{len(LAYER)}"),), (LAYER[9:],))

    source.on("GET", f".*/blobs/{DIGEST}", cut_once)
    source.on("GET", f".*/blobs/{DIGEST}", the_rest)
    assert promote(source, destination) == []
    assert destination.blobs[DIGEST] == LAYER
