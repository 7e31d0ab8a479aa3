# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ForeignType,
    InvalidInput,
    ProtocolViolation,
    RegistryError,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    ACCEPT,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MAXIMUM_SIZE,
    OCI_INDEX,
    OCI_MANIFEST,
    WITHDRAWN_TYPES,
    Manifest,
    accept,
    bare_media_type,
    format_platform,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    descriptor,
    encoded,
    image,
    index,
)

pytestmark = pytest.mark.usefixtures("no_collection")


def test_image_manifest_gives_config_and_layers() -> None:
    manifest = Manifest.parse(encoded(image()), OCI_MANIFEST)
    assert not manifest.is_index
    assert manifest.media_type == OCI_MANIFEST
    assert [found.digest for found in manifest.blobs()] == [compute_digest(CONFIG), DIGEST]
    assert manifest.config is not None and manifest.config.size == len(CONFIG)
    assert manifest.children() == []


def test_index_gives_children_with_platforms_in_order() -> None:
    platform = {"os": "linux", "architecture": "arm", "variant": "v7"}
    children = [descriptor(b"2", OCI_MANIFEST, platform=platform), descriptor(b"1", OCI_MANIFEST)]
    manifest = Manifest.parse(encoded(index(*children)))
    assert manifest.is_index
    assert [found.digest for found in manifest.children()] == [compute_digest(b"2"), compute_digest(b"1")]
    assert [found.platform for found in manifest.children()] == ["linux/arm/v7", ""]
    assert manifest.blobs() == []
    assert manifest.config is None


def test_bytes_are_kept_exactly() -> None:
    content = json.dumps(image(), indent=7).encode() + b"\n \n"
    manifest = Manifest.parse(content)
    assert manifest.content == content
    assert manifest.digest == compute_digest(content)
    assert manifest.descriptor == (OCI_MANIFEST, compute_digest(content), len(content), "", "", {})


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_digest_is_checked_in_its_own_algorithm(algorithm: str) -> None:
    content = encoded(image())
    assert Manifest.parse(content, "", compute_digest(content, algorithm)).digest == compute_digest(content, algorithm)
    with pytest.raises(ProtocolViolation, match="have the digest"):
        Manifest.parse(content + b" ", "", compute_digest(content, algorithm))


@pytest.mark.parametrize(
    "said", ["", "application/json", "text/plain; charset=utf-8", "application/octet-stream", OCI_MANIFEST]
)
def test_an_image_without_media_type_is_an_oci_manifest(said: str) -> None:
    assert Manifest.parse(encoded(image(mediaType=None)), said).media_type == OCI_MANIFEST


@pytest.mark.parametrize("said", ["", "application/json", OCI_INDEX, OCI_INDEX.upper() + " ; a=b"])
def test_an_index_without_media_type_is_an_oci_index(said: str) -> None:
    assert Manifest.parse(encoded(index(mediaType=None)), said).media_type == OCI_INDEX


@pytest.mark.parametrize(("document", "media_type"), [(image, DOCKER_MANIFEST), (index, DOCKER_LIST)])
def test_docker_types_are_kept(document: t.Callable[..., t.Any], media_type: str) -> None:
    assert Manifest.parse(encoded(document(mediaType=media_type)), media_type).media_type == media_type


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (image(), OCI_INDEX),
        (image(), DOCKER_MANIFEST),
        (index(), OCI_MANIFEST),
        (index(mediaType=None), OCI_MANIFEST),
        (image(mediaType=None), OCI_INDEX),
        (image(mediaType=DOCKER_MANIFEST), OCI_MANIFEST),
        (image(), "text/html"),
    ],
)
def test_a_body_that_contradicts_its_content_type_is_refused(document: dict[str, t.Any], said: str) -> None:
    with pytest.raises(InvalidInput):
        Manifest.parse(encoded(document), said)


@pytest.mark.parametrize(
    "document",
    [
        image(manifests=[]),
        image(mediaType=None, manifests=[descriptor()]),
        image(Manifests=[]),
        dict(image(), manifests=None),
        index(layers=[]),
        index(config=descriptor()),
        index(Layers=[]),
        index(CONFIG=None) | {"CONFIG": {}} if hasattr(dict, "__or__") else index(Config={}),
        image(fsLayers=[]),
        index(fsLayers=[]),
        image(FSLAYERS=[]),
    ],
)
def test_a_document_that_can_be_read_as_manifest_and_as_index_is_refused(document: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidInput, match="contradicts"):
        Manifest.parse(encoded(document))


@pytest.mark.parametrize(
    "text",
    [
        '{"schemaVersion":2,"schemaVersion":2,"manifests":[]}',
        '{"schemaVersion":2,"config":{"digest":"a","digest":"b"},"layers":[]}',
        '{"schemaVersion":2,"manifests":[],"annotations":{"a":"1","a":"2"}}',
    ],
)
def test_a_key_that_occurs_twice_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="occurs twice"):
        Manifest.parse(text.encode())


@pytest.mark.parametrize(
    ("document", "key"),
    [
        (index(Manifests=[]), "Manifests"),
        (index(manifests=None, MANIFESTS=[]), "MANIFESTS"),
        (image(Layers=[]), "Layers"),
        (image(layers=None, LAYERS=[]), "LAYERS"),
        (image(Config=descriptor()), "Config"),
        (image(MediaType=OCI_INDEX), "MediaType"),
        (index(SchemaVersion=1), "SchemaVersion"),
        (image(Subject={}), "Subject"),
        # A long s: to Go, one more way to write an s.
        ({**image(), "layer\u017f": []}, "layer\u017f"),
        (image(layers=[descriptor(Digest=DIGEST)]), "Digest"),
        (image(layers=[descriptor(SIZE=1)]), "SIZE"),
        (image(config=descriptor(CONFIG, MediaType="a/b")), "MediaType"),
        (index(descriptor(media_type=OCI_MANIFEST, Platform={})), "Platform"),
    ],
)
def test_a_key_of_the_specification_in_another_case_is_refused(document: dict[str, t.Any], key: str) -> None:
    with pytest.raises(InvalidInput, match=f"has the key '{key}' in place of"):
        Manifest.parse(encoded(document))


def test_annotations_and_unknown_keys_may_differ_in_their_case_only() -> None:
    notes = {"org.example.A": "1", "org.example.a": "2", "Layers": "3", "layers": "4"}
    document = image(layers=[descriptor(annotations=notes, x=1, X=2)], annotations=notes, more=1, More=2)
    manifest = Manifest.parse(encoded(document))
    assert manifest.annotations == notes
    assert manifest.blobs()[1].annotations == notes


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", ['"size":{}', '"annotations":{{"a":{}}}', '"x":[{}]'])
def test_numbers_that_json_does_not_have_are_refused(number: str, place: str) -> None:
    text = '{"schemaVersion":2,"manifests":[],' + place.format(number) + "}"
    with pytest.raises(InvalidInput, match=f"{number} is not a JSON number"):
        Manifest.parse(text.encode())


def test_a_manifest_of_exactly_4_mib_is_accepted_and_one_byte_more_refused() -> None:
    content = encoded(image())
    padded = content + b" " * (MAXIMUM_SIZE - len(content))
    assert Manifest.parse(padded).size == 4194304
    with pytest.raises(InvalidInput, match="larger than 4194304"):
        Manifest.parse(padded + b" ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xef\xbb\xbf" + encoded(image()),
        encoded(image()).decode().encode("utf-16"),
        encoded(image()) + b"x",
        encoded(image())[:-1],
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"7",
        b"<html></html>",
        b"[" * 2000000,
        b'{"a":' * 500000,
    ],
    ids=[
        "empty",
        "bom",
        "utf-16",
        "rest",
        "cut",
        "binary",
        "list",
        "null",
        "text",
        "number",
        "html",
        "deep",
        "deep-object",
    ],
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        Manifest.parse(content)


@pytest.mark.parametrize("version", [None, 0, 3, "2", True, [2]])
def test_only_schema_version_2_is_accepted(version: object) -> None:
    with pytest.raises(RegistryError):
        Manifest.parse(encoded(image(schemaVersion=version)))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"schemaVersion": 1, "fsLayers": []}, ""),
        ({"schemaVersion": 1, "fsLayers": []}, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (image(), "application/vnd.docker.distribution.manifest.v1+json"),
    ],
)
def test_schema_1_is_refused_with_what_to_do(document: dict[str, t.Any], said: str) -> None:
    with pytest.raises(Unsupported, match="Push it again"):
        Manifest.parse(encoded(document), said)


@pytest.mark.parametrize(
    "media_type", ["application/vnd.oci.artifact.manifest.v1+json", "text/html", "x", 7, ["a"], {"a": 1}]
)
def test_other_manifest_types_are_refused(media_type: object) -> None:
    with pytest.raises(InvalidInput):
        Manifest.parse(encoded(image(mediaType=media_type)))


BAD_DESCRIPTORS: list[tuple[object, str]] = [
    (descriptor(digest="sha256:../../x"), "malformed digest"),
    (descriptor(digest="sha256:" + "A" * 64), "malformed digest"),
    (descriptor(digest="md5:" + "a" * 32), "malformed digest"),
    (descriptor(digest=None), "malformed digest"),
    (descriptor(digest=["sha256:" + "a" * 64]), "malformed digest"),
    (descriptor(size=True), "no valid size"),
    (descriptor(size=False), "no valid size"),
    (descriptor(size=-1), "no valid size"),
    (descriptor(size=1.0), "no valid size"),
    (descriptor(size="7"), "no valid size"),
    (descriptor(size=None), "no valid size"),
    (descriptor(media_type="nothing"), "no valid mediaType"),
    (descriptor(media_type="a/b\nX: y"), "no valid mediaType"),
    (descriptor(media_type="a/b; c=d"), "no valid mediaType"),
    (descriptor(mediaType=None), "no valid mediaType"),
    ("sha256:" + "a" * 64, "no valid descriptor"),
    (None, "no valid descriptor"),
    ([], "no valid descriptor"),
]


@pytest.mark.parametrize(("entry", "why"), BAD_DESCRIPTORS)
def test_a_bad_descriptor_is_refused_among_layers(entry: object, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"in layers.*{why}" if "digest" in why else f"in layers|{why}"):
        Manifest.parse(encoded(image(layers=[descriptor(), entry])))


@pytest.mark.parametrize(("entry", "why"), BAD_DESCRIPTORS)
def test_a_bad_descriptor_is_refused_as_config_and_as_child(entry: object, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Manifest.parse(encoded(dict(image(), config=entry)))
    with pytest.raises(InvalidInput, match=why):
        Manifest.parse(encoded(index(t.cast(t.Any, entry))))


@pytest.mark.parametrize("layers", [{}, "x", 7, {"0": descriptor()}])
def test_layers_and_manifests_must_be_lists(layers: object) -> None:
    with pytest.raises(InvalidInput, match="is not a list"):
        Manifest.parse(encoded(image(layers=layers)))
    with pytest.raises(InvalidInput, match="is not a list"):
        Manifest.parse(encoded(index(manifests=layers)))


def test_an_image_without_config_is_refused() -> None:
    with pytest.raises(InvalidInput, match="config"):
        Manifest.parse(encoded(image(config=None)))


def test_an_image_without_layers_is_accepted() -> None:
    assert len(Manifest.parse(encoded(image(layers=[]))).blobs()) == 1


@pytest.mark.parametrize("said", ["", OCI_INDEX])
def test_null_is_an_empty_list_as_programs_in_go_write_it(said: str) -> None:
    assert len(Manifest.parse(encoded(dict(image(), layers=None))).blobs()) == 1
    assert Manifest.parse(encoded(dict(index(), manifests=None)), said).children() == []
    assert Manifest.parse(encoded(dict(index(mediaType=None), manifests=None)), said).is_index


@pytest.mark.parametrize("subject", ["text", {}, {"digest": "sha256:x", "size": 1, "mediaType": OCI_MANIFEST}])
def test_a_malformed_subject_is_refused(subject: t.Any) -> None:
    with pytest.raises(InvalidInput, match="subject"):
        Manifest.parse(encoded(image(subject=subject)))


def test_two_sizes_of_one_digest_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two sizes"):
        Manifest.parse(encoded(image(layers=[descriptor(), descriptor(size=1)])))
    with pytest.raises(InvalidInput, match="two sizes"):
        Manifest.parse(encoded(index(descriptor(media_type=OCI_MANIFEST), descriptor(media_type=OCI_MANIFEST, size=1))))


def test_a_layer_that_occurs_twice_is_one_blob() -> None:
    manifest = Manifest.parse(encoded(image(layers=[descriptor(), descriptor()])))
    assert [found.digest for found in manifest.blobs()] == [compute_digest(CONFIG), DIGEST]
    assert len(manifest.descriptors()) == 3


def test_a_manifest_with_too_many_layers_is_refused() -> None:
    # Small ones, so that the size isn't what is refused.
    layer = descriptor(LAYER, "a/b")
    assert Manifest.parse(encoded(image(layers=[layer] * 10000)))
    with pytest.raises(InvalidInput, match="more than 10000"):
        Manifest.parse(encoded(image(layers=[layer] * 10001)))


def test_subject_is_a_descriptor_but_not_part_of_the_content() -> None:
    subject = descriptor(b"subject", OCI_MANIFEST)
    manifest = Manifest.parse(encoded(image(subject=subject)))
    assert manifest.subject is not None and manifest.subject.digest == compute_digest(b"subject")
    assert manifest.subject.digest not in {found.digest for found in manifest.descriptors()}
    assert Manifest.parse(encoded(image())).subject is None


def test_artifact_type_falls_back_to_the_media_type_of_the_config() -> None:
    assert Manifest.parse(encoded(image(artifactType="a/own"))).artifact_type == "a/own"
    assert Manifest.parse(encoded(image())).artifact_type == "application/vnd.oci.image.config.v1+json"
    assert Manifest.parse(encoded(index())).artifact_type == ""


@pytest.mark.parametrize("annotations", [None, [], "x", 7])
def test_annotations_that_are_none_are_empty(annotations: object) -> None:
    assert Manifest.parse(encoded(image(annotations=annotations))).annotations == {}


def test_unknown_keys_and_media_types_of_layers_are_accepted() -> None:
    document = image(
        layers=[descriptor(media_type="application/vnd.some.body+else", data="e30=", urls=[])], more={"x": 1}
    )
    assert Manifest.parse(encoded(document)).blobs()


@pytest.mark.parametrize(
    ("platform", "text"),
    [
        ({"os": "linux", "architecture": "amd64"}, "linux/amd64"),
        ({"os": "linux", "architecture": "arm", "variant": "v6"}, "linux/arm/v6"),
        ({}, ""),
        (None, ""),
        ("linux/amd64", ""),
    ],
)
def test_platforms_are_written_as_os_architecture_variant(platform: object, text: str) -> None:
    assert format_platform(platform) == text


def test_all_manifest_types_are_asked_for_the_most_general_first() -> None:
    assert ACCEPT.split(", ") == [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, *WITHDRAWN_TYPES]


@pytest.mark.parametrize("media_type", ["", OCI_MANIFEST, WITHDRAWN_TYPES[0], "a/b\r\nX: y", "a/b, */*", "none"])
def test_nothing_more_is_accepted_for_a_type_that_is_asked_for_anyway_or_is_none(media_type: str) -> None:
    assert accept(media_type) == ACCEPT


def test_the_type_in_a_descriptor_is_accepted() -> None:
    assert accept("application/vnd.example.manifest.v9+json") == f"{ACCEPT}, application/vnd.example.manifest.v9+json"


@pytest.mark.parametrize(
    ("document", "expected", "said"),
    [
        (image(), OCI_MANIFEST, DOCKER_MANIFEST),
        (image(), OCI_MANIFEST, OCI_INDEX),
        (image(), OCI_MANIFEST, f"{OCI_INDEX}; charset=utf-8"),
        (image(), OCI_MANIFEST, "text/html"),
        (image(), OCI_MANIFEST, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (image(mediaType=DOCKER_MANIFEST), DOCKER_MANIFEST, OCI_MANIFEST),
        (index(), OCI_INDEX, OCI_MANIFEST),
        (index(mediaType=DOCKER_LIST), DOCKER_LIST, DOCKER_MANIFEST),
        (image(mediaType=None), OCI_MANIFEST, DOCKER_MANIFEST),
        (index(mediaType=None), OCI_INDEX, DOCKER_LIST),
    ],
)
def test_a_wrong_content_type_is_passed_over_where_manifest_and_descriptor_agree(
    document: dict[str, t.Any], expected: str, said: str
) -> None:
    content = encoded(document)
    found = Manifest.parse(content, said, compute_digest(content), expected)
    assert (found.media_type, found.content) == (expected, content)


@pytest.mark.parametrize(
    ("document", "expected", "said"),
    [
        (image(), "", OCI_INDEX),
        (image(), OCI_INDEX, OCI_INDEX),
        (image(), DOCKER_MANIFEST, DOCKER_MANIFEST),
        (image(), DOCKER_MANIFEST, OCI_INDEX),
        (index(), OCI_MANIFEST, OCI_MANIFEST),
        (image(mediaType=None), OCI_INDEX, OCI_INDEX),
        (image(manifests=[]), OCI_MANIFEST, OCI_INDEX),
        (index(layers=[], config={}), OCI_INDEX, OCI_MANIFEST),
    ],
)
def test_a_type_that_manifest_and_descriptor_do_not_agree_on_stays_refused(
    document: dict[str, t.Any], expected: str, said: str
) -> None:
    content = encoded(document)
    with pytest.raises(InvalidInput):
        Manifest.parse(content, said, compute_digest(content), expected)


def test_a_descriptor_proves_no_type_where_no_digest_proves_the_bytes() -> None:
    with pytest.raises(InvalidInput, match="given as"):
        Manifest.parse(encoded(image()), DOCKER_MANIFEST, "", OCI_MANIFEST)


@pytest.mark.parametrize("media_type", WITHDRAWN_TYPES)
def test_a_withdrawn_type_is_named_with_what_to_do(media_type: str) -> None:
    content = encoded({"mediaType": media_type, "artifactType": "application/spdx+json", "blobs": []})
    with pytest.raises(ForeignType, match=f"of the type {re.escape(media_type)}, which the OCI specifications have"):
        Manifest.parse(content, media_type, compute_digest(content), media_type)


def test_parameters_of_a_content_type_are_dropped() -> None:
    assert bare_media_type(" Application/JSON ; charset=utf-8") == "application/json"
