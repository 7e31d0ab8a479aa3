# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._platform_choice import (
    SOURCE_ANNOTATION,
    PlatformChoice,
    PlatformMissing,
    choose_platforms,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

Plain = dict[str, t.Any]
AMD64 = image()
ARM64 = image(layers=[descriptor(b"arm64")])
ARM7 = image(layers=[descriptor(b"arm7")])
ATTESTATION = image(layers=[descriptor(b"attestation")])


def entry(document: Plain, platform: str = "", media_type: str = OCI_MANIFEST, **more: t.Any) -> Plain:
    described = descriptor(encoded(document), media_type, **more)
    if platform:
        system, architecture, *variant = platform.split("/")
        described["platform"] = {"os": system, "architecture": architecture}
        if variant:
            described["platform"]["variant"] = variant[0]
    return described


def attestation_of(document: Plain) -> Plain:
    annotations = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": descriptor(encoded(document))["digest"],
    }
    return entry(ATTESTATION, "unknown/unknown", annotations=annotations)


WHOLE = index(
    entry(AMD64, "linux/amd64"),
    entry(ARM64, "linux/arm64/v8"),
    entry(ARM7, "linux/arm/v7"),
    attestation_of(AMD64),
    annotations={"who": "we"},
)


def choose(
    document: Plain, *wanted: str, flatten: bool = False, registry: FakeRegistry | None = None
) -> PlatformChoice:
    client = (registry or FakeRegistry()).client
    return choose_platforms(client, "team/app", Manifest.parse(encoded(document)), wanted, flatten=flatten)


def test_what_is_wanted_stays_with_its_attestation() -> None:
    choice = choose(WHOLE, "linux/amd64")
    rewritten = choice.rewritten[choice.chosen.digest]
    assert rewritten.document["manifests"] == [WHOLE["manifests"][0], WHOLE["manifests"][3]]
    source = Manifest.parse(encoded(WHOLE))
    assert rewritten.annotations == {"who": "we", SOURCE_ANNOTATION: source.digest}
    assert choice.chosen == rewritten.descriptor


def test_an_attestation_goes_with_its_image() -> None:
    choice = choose(WHOLE, "linux/arm64", "linux/arm/v7")
    rewritten = choice.rewritten[choice.chosen.digest]
    assert rewritten.document["manifests"] == WHOLE["manifests"][1:3]


def test_the_same_choice_always_gives_the_same_digest() -> None:
    one, other = choose(WHOLE, "linux/arm64", "linux/amd64"), choose(WHOLE, "linux/amd64", "linux/arm64")
    assert one.chosen == other.chosen


def test_an_index_of_which_nothing_is_left_out_stays_as_it_is() -> None:
    whole = choose(WHOLE, "linux/amd64", "linux/arm64", "linux/arm")
    assert whole == PlatformChoice(Manifest.parse(encoded(WHOLE)).descriptor, {})


def test_a_list_of_docker_stays_one() -> None:
    document = {**WHOLE, "mediaType": DOCKER_LIST}
    assert choose(document, "linux/amd64").chosen.media_type == DOCKER_LIST


def test_nested_indexes_are_rewritten_and_left_out_where_nothing_remains() -> None:
    registry = FakeRegistry()
    inner = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
    without = index(entry(ARM7, "linux/arm/v7"))
    for document in (inner, without):
        registry.add("team/app", document)
    outer = index(entry(inner, media_type=OCI_INDEX), entry(without, media_type=OCI_INDEX))
    choice = choose(outer, "linux/amd64", registry=registry)
    (nested,) = choice.rewritten[choice.chosen.digest].children()
    assert nested.digest in choice.rewritten
    assert [child.platform for child in choice.rewritten[nested.digest].children()] == ["linux/amd64"]
    assert nested.size == len(choice.rewritten[nested.digest].content)
    assert len(choice.rewritten) == 2


def test_what_has_no_platform_is_left_out() -> None:
    document = index(entry(AMD64, "linux/amd64"), entry(ARM64))
    choice = choose(document, "linux/amd64")
    assert [child.platform for child in choice.rewritten[choice.chosen.digest].children()] == ["linux/amd64"]


def test_a_platform_that_is_missing_is_named_with_those_that_are_there() -> None:
    with pytest.raises(PlatformMissing, match="no image for linux/s390x") as caught:
        choose(WHOLE, "linux/amd64", "linux/s390x")
    assert "linux/arm/v7" in str(caught.value)


def test_flatten_takes_the_image_itself() -> None:
    choice = choose(WHOLE, "linux/arm64", flatten=True)
    assert choice.chosen.digest == WHOLE["manifests"][1]["digest"]
    assert choice.rewritten == {}


def test_flatten_takes_one_image_only() -> None:
    document = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/amd64/v3"))
    with pytest.raises(PlatformMissing, match="2 images for linux/amd64"):
        choose(document, "linux/amd64", flatten=True)


def windows(document: Plain, version: str) -> Plain:
    described = entry(document, "windows/amd64")
    described["platform"]["os.version"] = version
    return described


def test_images_that_differ_in_os_version_only_are_named_with_it_and_with_what_to_do() -> None:
    document = index(windows(AMD64, "10.0.17763.1"), windows(ARM64, "10.0.20348.2"), entry(ARM7, "linux/arm/v7"))
    with pytest.raises(PlatformMissing, match="2 images for windows/amd64, and flatten takes one; they differ in") as e:
        choose(document, "windows/amd64", flatten=True)
    for described in document["manifests"][:2]:
        version = described["platform"]["os.version"]
        assert f"{described['digest']} (windows/amd64, os.version {version})" in str(e.value)
    assert "Give the digest of one of them" in str(e.value) and "variant" not in str(e.value)


def test_images_of_one_platform_and_os_version_are_named_by_digest() -> None:
    document = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/amd64"))
    with pytest.raises(PlatformMissing, match="they have the same platform.*os.version not given"):
        choose(document, "linux/amd64", flatten=True)


def test_the_same_image_twice_is_one() -> None:
    document = index(windows(AMD64, "10.0.17763.1"), windows(AMD64, "10.0.17763.1"))
    assert choose(document, "windows/amd64", flatten=True).chosen.digest == document["manifests"][0]["digest"]


def test_all_os_versions_of_a_platform_are_taken_without_flatten() -> None:
    kept = [windows(AMD64, "10.0.17763.1"), windows(ARM64, "10.0.20348.2")]
    choice = choose(index(*kept, entry(ARM7, "linux/arm/v7")), "windows/amd64")
    assert choice.rewritten[choice.chosen.digest].document["manifests"] == kept


def test_a_nested_index_is_read_by_the_type_in_its_entry() -> None:
    class Noting(FakeRegistry):
        def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
            self.calls.append(media_type)
            return super().get_manifest(repository, reference, media_type)

    registry = Noting()
    inner = registry.add("team/app", index(entry(AMD64, "linux/amd64"), entry(ARM7, "linux/arm/v7")))
    choose(index(entry(inner.document, media_type=OCI_INDEX)), "linux/amd64", registry=registry)
    assert OCI_INDEX in registry.calls


def test_an_index_that_is_nested_too_deep_is_refused() -> None:
    registry = FakeRegistry()
    document = index(entry(AMD64, "linux/amd64"))
    for _level in range(10):
        registry.add("team/app", document)
        document = index(entry(document, media_type=OCI_INDEX))
    with pytest.raises(InvalidInput, match="more than 8 levels"):
        choose(document, "linux/amd64", registry=registry)


def test_keys_that_we_do_not_know_are_kept() -> None:
    document = {**WHOLE, "example": {"x": 1.5, "ü": "ü"}}
    choice = choose(document, "linux/amd64")
    assert json.loads(choice.rewritten[choice.chosen.digest].content)["example"] == {"x": 1.5, "ü": "ü"}


def test_a_copy_of_an_index_that_is_rewritten_is_dropped() -> None:
    registry = FakeRegistry()
    inner = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
    registry.add("team/app", inner)
    outer = index(entry(inner, media_type=OCI_INDEX, data="e30="))
    choice = choose(outer, "linux/amd64", registry=registry)
    (nested,) = choice.rewritten[choice.chosen.digest].document["manifests"]
    assert "data" not in nested and nested["digest"] != outer["manifests"][0]["digest"]


def test_an_index_that_is_named_many_times_is_read_once() -> None:
    registry = FakeRegistry()
    document = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
    for _level in range(6):
        registry.add("team/app", document)
        document = index(*[entry(document, media_type=OCI_INDEX)] * 6)
    choose(document, "linux/amd64", registry=registry)
    assert len(registry.calls) == 6


def test_too_many_indexes_within_one_are_refused() -> None:
    registry = FakeRegistry()
    inner = [index(entry(AMD64, "linux/amd64"), annotations={"number": str(number)}) for number in range(1001)]
    for document in inner:
        registry.add("team/app", document)
    with pytest.raises(InvalidInput, match="more than 1000 indexes"):
        choose(index(*(entry(document, media_type=OCI_INDEX) for document in inner)), "linux/amd64", registry=registry)


@pytest.mark.parametrize("subject", [None, 7, [], {}])
def test_an_attestation_of_nothing_goes_with_no_image(subject: t.Any) -> None:
    annotations = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject}
    odd = index(entry(AMD64, "linux/amd64"), entry(ATTESTATION, "unknown/unknown", annotations=annotations))
    choice = choose(odd, "linux/amd64")
    assert choice.rewritten[choice.chosen.digest].document["manifests"] == odd["manifests"][:1]
