# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._layout import _names
from ansible_collections.imageops.registry.plugins.module_utils._layout._archive import ArchiveStore
from ansible_collections.imageops.registry.plugins.module_utils._layout._directory import DirectoryStore
from ansible_collections.imageops.registry.plugins.module_utils._layout._layout import Layout
from ansible_collections.imageops.registry.plugins.module_utils._layout._names import ImageName, name_of, read_names
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ContentMismatch,
    ForeignType,
    InvalidInput,
    LocalFileError,
    NotFound,
    ProtocolViolation,
    ReferencesMissing,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    WITHDRAWN_TYPES,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    LAYER,
    descriptor,
    encoded,
    image,
    index,
)

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE = Manifest.parse(encoded(image()))
OTHER = Manifest.parse(encoded(image(annotations={"a": "b"})))
MULTI = Manifest.parse(encoded(index(descriptor(IMAGE.content, OCI_MANIFEST), descriptor(OTHER.content, OCI_MANIFEST))))
SIGNATURE = Manifest.parse(
    encoded(
        image(
            artifactType="application/vnd.example.signature",
            subject=descriptor(IMAGE.content, OCI_MANIFEST),
            annotations={REF_NAME: "team/evil:1", "signed": "yes"},
        )
    )
)
REPOSITORY = "team/app"


def opened(path: pathlib.Path, *, writing: bool = False, **options: t.Any) -> Layout:
    store = ArchiveStore(str(path)) if path.suffix == ".tar" else DirectoryStore(str(path))
    try:
        return Layout(store, Counters(), writing=writing, jobs=1, **options)
    except LocalFileError:
        store.close()
        raise


@pytest.fixture(params=["layout", "layout.tar"])
def path(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / str(request.param)


def upload(layout: Layout, *blobs: bytes) -> None:
    for blob in blobs or (CONFIG, LAYER):
        digest = compute_digest(blob)
        if layout.head_blob(REPOSITORY, digest) is None:
            layout.put_upload(layout.start_upload(REPOSITORY), digest, blob)


def write(path: pathlib.Path, *manifests: tuple[Manifest, str], **options: t.Any) -> bool:
    """Write manifests under their references, as a promotion does; returns whether there was something to commit."""
    layout = opened(path, writing=True, **options)
    if any(layout.head_manifest(REPOSITORY, reference) is None for _manifest, reference in manifests):
        upload(layout)
    for manifest, reference in manifests:
        if layout.head_manifest(REPOSITORY, reference) is None:
            layout.put_manifest(REPOSITORY, reference, manifest)
    changed = layout.changed
    layout.commit()
    layout.close()
    return changed


def read_index(path: pathlib.Path) -> list[dict[str, t.Any]]:
    entries = json.loads((path / "index.json").read_bytes())["manifests"]
    return t.cast("list[dict[str, t.Any]]", entries)


def foreign(path: pathlib.Path, *entries: dict[str, t.Any], blobs: t.Iterable[bytes] = (), **more: t.Any) -> None:
    """A layout as another tool might write it."""
    (path / "blobs" / "sha256").mkdir(parents=True)
    for blob in (CONFIG, LAYER, IMAGE.content, OTHER.content, MULTI.content, SIGNATURE.content, *blobs):
        (path / "blobs" / "sha256" / compute_digest(blob).partition(":")[2]).write_bytes(blob)
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(entries), **more}))


def entry(manifest: Manifest, name: str = "", **annotations: str) -> dict[str, t.Any]:
    named = {**({REF_NAME: name} if name else {}), **annotations}
    return descriptor(manifest.content, manifest.media_type, **({"annotations": named} if named else {}))


# Writing and reading ------------------------------------------------------------------------------------------------


def test_what_was_written_is_read(path: pathlib.Path) -> None:
    write(path, (IMAGE, IMAGE.digest), (OTHER, OTHER.digest), (MULTI, "1"))
    layout = opened(path)
    assert layout.head_manifest(REPOSITORY, "1") == layout.head_manifest(REPOSITORY, MULTI.digest)
    assert layout.get_manifest(REPOSITORY, "1").content == MULTI.content
    assert layout.head_manifest(REPOSITORY, IMAGE.digest) == IMAGE.descriptor
    assert layout.get_manifest(REPOSITORY, IMAGE.digest).content == IMAGE.content
    assert layout.head_blob(REPOSITORY, compute_digest(LAYER)) == len(LAYER)
    pieces, offset = layout.get_blob(REPOSITORY, compute_digest(LAYER), 3)
    assert (b"".join(pieces), offset) == (LAYER[3:], 3)
    assert layout.list_tags(REPOSITORY) == ["1"]
    layout.close()


def test_what_is_not_there(path: pathlib.Path) -> None:
    write(path, (IMAGE, "1"))
    layout = opened(path)
    assert layout.head_manifest(REPOSITORY, "2") is None
    assert layout.head_manifest("team/api", "1") is None
    assert layout.head_manifest(REPOSITORY, OTHER.digest) is None
    assert layout.head_blob(REPOSITORY, OTHER.digest) is None
    with pytest.raises(NotFound, match=f"read {path}/team/app:2: it is not there"):
        layout.get_manifest(REPOSITORY, "2")
    with pytest.raises(NotFound, match="layout is incomplete"):
        layout.get_blob(REPOSITORY, OTHER.digest)
    with pytest.raises(NotFound):
        layout.list_tags("team/api")
    layout.close()


def test_entries_are_names_alone(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "layout", (IMAGE, IMAGE.digest), (OTHER, OTHER.digest), (MULTI, "2"), (MULTI, "1"))
    assert read_index(tmp_path / "layout") == [entry(MULTI, f"{REPOSITORY}:1"), entry(MULTI, f"{REPOSITORY}:2")]
    assert json.loads((tmp_path / "layout" / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


def test_a_second_writer_has_nothing_to_do(path: pathlib.Path) -> None:
    assert write(path, (IMAGE, "1"))
    before = path.stat().st_mtime_ns
    assert not write(path, (IMAGE, "1"))
    assert path.stat().st_mtime_ns == before


def test_nothing_is_seen_before_the_commit(path: pathlib.Path) -> None:
    layout = opened(path, writing=True)
    upload(layout)
    layout.put_manifest(REPOSITORY, "1", IMAGE)
    assert layout.head_manifest(REPOSITORY, "1") == IMAGE.descriptor
    layout.close()
    with pytest.raises(LocalFileError, match="is not an image layout: it has no oci-layout"):
        opened(path)
    # What was brought isn't brought again.
    layout = opened(path, writing=True)
    assert layout.head_manifest(REPOSITORY, "1") is None
    assert layout.head_blob(REPOSITORY, compute_digest(LAYER)) == len(LAYER)
    layout.close()


def test_a_tag_moves(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    write(path, (IMAGE, "1"))
    layout = opened(path, writing=True)
    layout.put_manifest(REPOSITORY, "1", OTHER)
    layout.commit()
    layout.close()
    assert read_index(path) == [entry(OTHER, f"{REPOSITORY}:1")]


def test_a_manifest_whose_parts_are_not_there_is_refused(path: pathlib.Path) -> None:
    layout = opened(path, writing=True)
    with pytest.raises(ReferencesMissing) as caught:
        layout.put_manifest(REPOSITORY, "1", IMAGE)
    assert set(caught.value.digests) == {compute_digest(CONFIG), compute_digest(LAYER)}
    layout.close()


def test_a_blob_that_is_not_right_is_refused(path: pathlib.Path) -> None:
    layout = opened(path, writing=True)
    session = layout.start_upload(REPOSITORY)
    with pytest.raises(ContentMismatch, match=f"Cannot write blob .* to {path}"):
        layout.put_upload(session, compute_digest(LAYER), LAYER[:-1] + b"!")
    assert layout.cancel_upload(session)
    assert not layout.changed
    layout.close()


def test_a_blob_is_in_all_repositories(path: pathlib.Path) -> None:
    layout = opened(path, writing=True)
    assert layout.mount_blob("team/api", compute_digest(LAYER), REPOSITORY) is not None
    upload(layout)
    assert layout.mount_blob("team/api", compute_digest(LAYER), REPOSITORY) is None
    layout.close()


def test_an_image_without_tags_keeps_a_name(path: pathlib.Path) -> None:
    layout = opened(path, writing=True)
    upload(layout)
    layout.put_manifest(REPOSITORY, IMAGE.digest, IMAGE)
    assert not layout.changed
    layout.keep(REPOSITORY, IMAGE.digest)
    layout.keep(REPOSITORY, OTHER.digest)
    layout.commit()
    layout.close()
    layout = opened(path, writing=True)
    assert layout.head_manifest(REPOSITORY, IMAGE.digest) == IMAGE.descriptor
    (kept,) = layout.images()
    assert read_names(kept.annotations) == [ImageName(REPOSITORY, digest=IMAGE.digest)]
    layout.keep(REPOSITORY, IMAGE.digest)
    assert not layout.changed
    layout.close()


def test_other_names(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    names = {(REPOSITORY, "1"): "one"}
    write(path, (IMAGE, "1"), names=names)
    assert read_index(path) == [entry(IMAGE, "one")]
    assert not write(path, (IMAGE, "1"), names=names)
    layout = opened(path, names=names)
    assert layout.head_manifest(REPOSITORY, "1") == IMAGE.descriptor
    layout.close()


# What is damaged ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [LAYER, CONFIG, IMAGE.content])
def test_a_writer_mends_what_is_not_whole(tmp_path: pathlib.Path, part: bytes) -> None:
    path = tmp_path / "layout"
    write(path, (IMAGE, IMAGE.digest), (OTHER, OTHER.digest), (MULTI, "1"))
    (path / "blobs" / "sha256" / compute_digest(part).partition(":")[2]).write_bytes(part[:-1])
    layout = opened(path, writing=True)
    for manifest, tag in ((IMAGE, ""), (MULTI, "1")):
        for reference in filter(None, (manifest.digest, tag)):
            assert layout.head_manifest(REPOSITORY, reference) is None
            with pytest.raises(NotFound, match="Cannot read .*: it is not there"):
                layout.get_manifest(REPOSITORY, reference)
    layout.put_upload(layout.start_upload(REPOSITORY), compute_digest(CONFIG), CONFIG)
    layout.put_upload(layout.start_upload(REPOSITORY), compute_digest(LAYER), LAYER)
    layout.put_manifest(REPOSITORY, IMAGE.digest, IMAGE)
    layout.put_manifest(REPOSITORY, "1", MULTI)
    assert layout.head_manifest(REPOSITORY, "1") is not None
    assert layout.changed
    layout.commit()
    layout.close()
    assert not write(path, (MULTI, "1"))


def test_only_a_writer_who_verifies_sees_that_bytes_are_wrong(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    write(path, (IMAGE, "1"))
    (path / "blobs" / "sha256" / compute_digest(LAYER).partition(":")[2]).write_bytes(LAYER[::-1])
    assert not write(path, (IMAGE, "1"))
    assert write(path, (IMAGE, "1"), verify=True)
    assert not write(path, (IMAGE, "1"), verify=True)


def test_a_reader_is_told_what_is_wrong_with_a_manifest(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    write(path, (IMAGE, "1"))
    (path / "blobs" / "sha256" / IMAGE.digest.partition(":")[2]).write_bytes(OTHER.content)
    layout = opened(path)
    with pytest.raises(ProtocolViolation, match="Cannot read .*/team/app:1: the manifest's bytes have the digest"):
        layout.get_manifest(REPOSITORY, "1")
    layout.close()


@pytest.mark.parametrize(
    "layout_file, index_file, reason",
    [
        ("", "{}", "has no oci-layout"),
        ('{"imageLayoutVersion": "1.0.0"}', "", "has no index.json"),
        ('{"imageLayoutVersion": "2.0.0"}', "{}", "is not an image layout of version 1.0.0.*'2.0.0'"),
        ("[]", "{}", "is not an image layout of version 1.0.0"),
        ('{"imageLayoutVersion": "1.0.0"}', "{", "index.json of .* cannot be read"),
        ('{"imageLayoutVersion": "1.0.0"}', '{"schemaVersion": 2, "manifests": [{}]}', "no valid size"),
        (
            '{"imageLayoutVersion": "1.0.0"}',
            '{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":1,"digest":"sha256:../../../etc/passwd"}]}',
            "malformed digest",
        ),
        ('{"imageLayoutVersion": "1.0.0"}', " " * 5 * 1024 * 1024, "larger than"),
    ],
)
def test_what_is_no_layout(tmp_path: pathlib.Path, layout_file: str, index_file: str, reason: str) -> None:
    for name, content in {"oci-layout": layout_file, "index.json": index_file}.items():
        if content:
            (tmp_path / name).write_text(content)
    with pytest.raises(LocalFileError, match=reason):
        opened(tmp_path)


def test_a_directory_of_something_else_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(LocalFileError, match=r"is not an image layout .*, and is not empty\. Name a path"):
        opened(tmp_path, writing=True)


def test_nested_without_end(tmp_path: pathlib.Path) -> None:
    nested = [MULTI]
    for _level in range(10):
        nested.append(Manifest.parse(encoded(index(descriptor(nested[-1].content, OCI_INDEX)))))
    path = tmp_path / "layout"
    foreign(path, entry(nested[-1], f"{REPOSITORY}:1"), blobs=[manifest.content for manifest in nested])
    layout = opened(path)
    for _time in range(2):
        with pytest.raises(InvalidInput, match="more than 8 levels"):
            layout.list_referrers(REPOSITORY, IMAGE.digest)
    layout.close()


def test_layers_that_may_not_be_distributed_need_not_be_there(path: pathlib.Path) -> None:
    foreign_layer = descriptor(b"elsewhere", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
    manifest = Manifest.parse(encoded(image(layers=[descriptor(), foreign_layer])))
    assert write(path, (manifest, "1"))
    assert not write(path, (manifest, "1"), verify=True)


# Referrers ----------------------------------------------------------------------------------------------------------


def test_referrers_are_entries_without_a_name(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    layout = opened(path, writing=True)
    upload(layout)
    assert not layout.put_manifest(REPOSITORY, IMAGE.digest, IMAGE)
    assert layout.list_referrers(REPOSITORY, IMAGE.digest).descriptors == ()
    assert layout.put_manifest(REPOSITORY, SIGNATURE.digest, SIGNATURE)
    assert [found.digest for found in layout.list_referrers(REPOSITORY, IMAGE.digest).descriptors] == [SIGNATURE.digest]
    layout.put_manifest(REPOSITORY, "1", IMAGE)
    layout.commit()
    layout.close()
    type_ = "application/vnd.example.signature"
    assert read_index(path) == [
        {**entry(SIGNATURE), "artifactType": type_, "annotations": {"signed": "yes"}},
        entry(IMAGE, f"{REPOSITORY}:1"),
    ]
    layout = opened(path)
    found = layout.list_referrers(REPOSITORY, IMAGE.digest)
    assert found.found_by == "api"
    assert found.descriptors == (SIGNATURE.descriptor._replace(artifact_type=type_, annotations=SIGNATURE.annotations),)
    assert [found.digest for found in layout.images()] == [IMAGE.digest]
    layout.close()


@pytest.mark.parametrize("media_type", WITHDRAWN_TYPES)
def test_a_referrer_of_a_withdrawn_type_is_listed_and_cannot_be_read(tmp_path: pathlib.Path, media_type: str) -> None:
    subject = descriptor(IMAGE.content, OCI_MANIFEST)
    content = encoded({"mediaType": media_type, "blobs": [], "subject": subject})
    strange = [encoded({"mediaType": media_type, "subject": {"digest": "../x"}}), b"no JSON", encoded({"subject": 7})]
    entries = [descriptor(found, media_type) for found in (content, *strange)]
    foreign(
        tmp_path, entry(IMAGE, f"{REPOSITORY}:1"), *entries, blobs=[IMAGE.content, CONFIG, LAYER, content, *strange]
    )
    layout = opened(tmp_path)
    (found,) = layout.list_referrers(REPOSITORY, IMAGE.digest).descriptors
    assert (found.media_type, found.digest) == (media_type, compute_digest(content))
    with pytest.raises(ForeignType, match="have withdrawn"):
        layout.get_manifest(REPOSITORY, found.digest, media_type)
    assert [one.digest for one in layout.images()] == [IMAGE.digest]
    layout.close()


def test_a_writer_mends_a_referrer(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    write(path, (IMAGE, "1"), (SIGNATURE, SIGNATURE.digest))
    (path / "blobs" / "sha256" / SIGNATURE.digest.partition(":")[2]).write_bytes(b"damaged")
    layout = opened(path, writing=True)
    assert layout.list_referrers(REPOSITORY, IMAGE.digest).descriptors == ()
    layout.put_manifest(REPOSITORY, SIGNATURE.digest, SIGNATURE)
    assert [found.digest for found in layout.list_referrers(REPOSITORY, IMAGE.digest).descriptors] == [SIGNATURE.digest]
    layout.close()


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_reader_is_told_each_time_that_a_referrer_is_not_whole(tmp_path: pathlib.Path, content: bytes | None) -> None:
    path = tmp_path / "layout"
    write(path, (IMAGE, "1"), (SIGNATURE, SIGNATURE.digest))
    file = path / "blobs" / "sha256" / SIGNATURE.digest.partition(":")[2]
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    layout = opened(path)
    for _time in range(2):
        with pytest.raises(RegistryError, match=SIGNATURE.digest) as caught:
            layout.list_referrers(REPOSITORY, IMAGE.digest)
        assert not isinstance(caught.value, NotFound)
    layout.close()


def test_images_of_an_index_may_be_missing_where_only_referrers_are_asked_for(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    foreign(path, entry(MULTI, "1"), entry(SIGNATURE))
    (path / "blobs" / "sha256" / OTHER.digest.partition(":")[2]).unlink()
    layout = opened(path)
    assert [found.digest for found in layout.list_referrers(REPOSITORY, IMAGE.digest).descriptors] == [SIGNATURE.digest]
    layout.close()


@pytest.mark.parametrize("name", ["", f"{REPOSITORY}:"])
def test_referrers_of_a_tag_schema(tmp_path: pathlib.Path, name: str) -> None:
    """As regctl keeps them in a layout."""
    path = tmp_path / "layout"
    schema = Manifest.parse(encoded(index(descriptor(SIGNATURE.content, OCI_MANIFEST))))
    tag = IMAGE.digest.replace(":", "-")
    foreign(path, entry(IMAGE, f"{name}1"), entry(schema, f"{name}{tag}"), blobs=[schema.content])
    layout = opened(path)
    assert [found.digest for found in layout.list_referrers(REPOSITORY, IMAGE.digest).descriptors] == [SIGNATURE.digest]
    assert layout.list_referrers(REPOSITORY, OTHER.digest).descriptors == ()
    assert [found.digest for found in layout.images()] == [IMAGE.digest]
    layout.close()


def test_a_cosign_tag_is_no_image_of_its_own(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    tag = IMAGE.digest.replace(":", "-") + ".sig"
    write(path, (IMAGE, "1"), (OTHER, tag))
    layout = opened(path)
    assert layout.list_tags(REPOSITORY) == ["1", tag]
    assert [found.digest for found in layout.images()] == [IMAGE.digest]
    layout.close()


# Layouts of others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, annotations, repository",
    [
        ("team/app:1", {}, "team/app"),
        ("1", {}, "team/app"),
        ("registry.example:5000/team/app:1", {}, "team/app"),
        ("docker.io/library/app:1", {}, "library/app"),
        ("1", {"io.containerd.image.name": "docker.io/library/app:1"}, "library/app"),
    ],
)
def test_names_of_other_tools(tmp_path: pathlib.Path, name: str, annotations: dict[str, str], repository: str) -> None:
    path = tmp_path / "layout"
    foreign(path, entry(OTHER, "team/app:2"), entry(IMAGE, name, **annotations))
    layout = opened(path)
    found = layout.head_manifest(repository, "1")
    assert found is not None
    assert found.digest == IMAGE.digest
    layout.close()


def test_the_tag_alone_of_another_repository(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    foreign(path, entry(IMAGE, "1", **{"io.containerd.image.name": "docker.io/library/app:1"}))
    layout = opened(path)
    assert layout.head_manifest("team/app", "1") is None
    layout.close()


def test_names_that_could_be_one_or_another(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    foreign(path, entry(IMAGE, "a.example/team/app:1"), entry(OTHER, "b.example/team/app:1"))
    layout = opened(path)
    with pytest.raises(InvalidInput, match=r"could be one or another of .*: a\.example/team/app:1, b\.example"):
        layout.head_manifest(REPOSITORY, "1")
    layout.close()
    chosen = opened(path, names={(REPOSITORY, "1"): "b.example/team/app:1"})
    assert chosen.get_manifest(REPOSITORY, "1").digest == OTHER.digest
    chosen.close()


def test_the_only_image_of_a_layout(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    foreign(path, entry(IMAGE))
    layout = opened(path)
    assert layout.head_manifest(REPOSITORY, "1") is None
    layout.close()
    layout = opened(path, names={(REPOSITORY, "1"): ""})
    assert layout.get_manifest(REPOSITORY, "1").digest == IMAGE.digest
    layout.close()


def test_images_of_an_index_that_are_entries_as_well(tmp_path: pathlib.Path) -> None:
    """As oras lists them."""
    path = tmp_path / "layout"
    foreign(path, entry(MULTI, "1"), entry(IMAGE), entry(OTHER), entry(SIGNATURE))
    layout = opened(path)
    assert [found.digest for found in layout.images()] == [MULTI.digest]
    layout.close()


def test_what_others_have_written_stays_as_it_is(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    own = {**entry(IMAGE, "1"), "platform": {"os": "linux", "architecture": "amd64"}, "x-own": [1]}
    foreign(path, own, annotations={"made": "elsewhere"})
    assert write(path, (OTHER, "2"))
    assert json.loads((path / "index.json").read_bytes()) == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [own, entry(OTHER, f"{REPOSITORY}:2")],
        "annotations": {"made": "elsewhere"},
    }


@pytest.mark.parametrize(
    "annotations, names",
    [
        ({}, []),
        ({REF_NAME: ""}, []),
        ({REF_NAME: "1.4.2"}, [ImageName("", "1.4.2")]),
        ({REF_NAME: "team/app"}, []),
        ({REF_NAME: "Not A Name"}, []),
        ({REF_NAME: "../../etc:1"}, []),
        ({REF_NAME: "localhost/team/app:1"}, [ImageName("team/app", "1")]),
        ({REF_NAME: f"team/app@{IMAGE.digest}"}, [ImageName("team/app", digest=IMAGE.digest)]),
        ({REF_NAME: "1", "io.containerd.image.name": "a.example/app:1"}, [ImageName("app", "1")]),
        ({REF_NAME: "one", "io.containerd.image.name": "app:1"}, [ImageName("app", "1"), ImageName("", "one")]),
    ],
)
def test_read_names(annotations: dict[str, str], names: list[ImageName]) -> None:
    assert read_names(annotations) == names


def test_name_of() -> None:
    assert name_of("team/app", "1.4.2") == "team/app:1.4.2"
    assert name_of("team/app", IMAGE.digest) == f"team/app@{IMAGE.digest}"


def test_what_belongs_to_an_image_has_the_repository_of_the_name_that_was_given(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout"
    signature = IMAGE.digest.replace(":", "-") + ".sig"
    foreign(
        path,
        entry(IMAGE, "fam/one:1.0"),
        entry(OTHER, f"fam/one:{signature}"),
        blobs=[IMAGE.content, OTHER.content],
    )
    layout = opened(path, names={("other/name", "1.0"): "fam/one:1.0"})
    found = layout.head_manifest("other/name", signature)
    assert found is not None and found.digest == OTHER.digest
    assert layout.head_manifest("another/name", signature) is None


@pytest.mark.parametrize("number", [20, 200])
def test_names_are_read_once_however_often_images_are_looked_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    manifests = [Manifest.parse(encoded(image(annotations={"n": str(n)})), OCI_MANIFEST) for n in range(number)]
    names = [f"team/app{n}:1" for n in range(number)]
    foreign(tmp_path, *map(entry, manifests, names), blobs=[manifest.content for manifest in manifests])
    layout = opened(tmp_path)
    parsed: list[str] = []
    parse = _names.parse_reference
    monkeypatch.setattr(_names, "parse_reference", lambda text: parsed.append(text) or parse(text))
    for n, manifest in enumerate(manifests):
        repository = f"team/app{n}"
        for suffix in ("", ".sig", ".att", ".sbom"):
            assert layout.head_manifest(repository, referrers_tag(manifest.digest) + suffix) is None
        assert not layout.list_referrers(repository, manifest.digest).descriptors
        assert layout.list_tags(repository) == ["1"]
        assert layout.head_manifest(repository, "1") == manifest.descriptor
        assert layout.head_manifest(repository, "2") is None
    assert sorted(parsed) == sorted(names)


def test_entries_are_found_by_what_they_are_called_now(tmp_path: pathlib.Path) -> None:
    first, second = (Manifest.parse(encoded(image(annotations={"n": n})), OCI_MANIFEST) for n in "12")
    foreign(tmp_path, blobs=[first.content, second.content, CONFIG, LAYER])
    layout = opened(tmp_path, writing=True)
    with pytest.raises(NotFound):
        layout.list_tags("team/app")
    layout.put_manifest("team/app", "1", first)
    assert layout.list_tags("team/app") == ["1"]
    layout.put_manifest("team/app", "2", first)
    layout.put_manifest("team/app", "1", second)
    layout.put_manifest("team/other", first.digest, first)
    layout.keep("team/other", second.digest)
    assert layout.list_tags("team/app") == ["1", "2"] and layout.list_tags("team/other") == []
    assert layout.head_manifest("team/app", "1") == second.descriptor
    layout.commit()
    layout.close()
    again = opened(tmp_path)
    assert again.list_tags("team/app") == ["1", "2"] and again.list_tags("team/other") == []
    assert again.head_manifest("team/app", "2") == first.descriptor
