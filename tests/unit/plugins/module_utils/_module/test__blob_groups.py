# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobGroup
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._module._blob_groups import blob_groups

DIGEST = "sha256:" + "a" * 64


def blobs(**given: t.Any) -> dict[str, t.Any]:
    return {"registry": "r.example", "blobs": None, "repository": None, "digest": None, **given}


def test_blobs_are_given_one_by_one_or_in_groups() -> None:
    assert blob_groups(blobs(repository="a/b", digest=DIGEST)) == [BlobGroup("a/b", "", (), ((DIGEST, None),))]
    single = blobs(repository="a/b", digest=DIGEST, size=0, source_repository="s", mount_from=["m", "n"])
    assert blob_groups(single) == [BlobGroup("a/b", "s", ("m", "n"), ((DIGEST, 0),))]
    entry = {"repository": "a", "source_repository": None, "mount_from": None, "blobs": [{"digest": DIGEST, "size": 7}]}
    assert blob_groups(blobs(blobs=[entry, dict(entry, repository="b", blobs=[])])) == [
        BlobGroup("a", "", (), ((DIGEST, 7),)),
        BlobGroup("b", "", (), ()),
    ]
    assert blob_groups(blobs(blobs=[])) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "A"},
        {"source_repository": "../x"},
        {"mount_from": ["ok", "no ok"]},
        {"blobs": [{"digest": "sha256:x", "size": None}]},
        {"blobs": [{"digest": DIGEST, "size": -1}]},
    ],
)
def test_a_malformed_name_digest_or_size_of_a_blob_is_refused(changes: dict[str, t.Any]) -> None:
    entry = {"repository": "a", "source_repository": "s", "mount_from": [], "blobs": [{"digest": DIGEST, "size": 7}]}
    with pytest.raises(InvalidInput, match="malformed|negative"):
        blob_groups(blobs(blobs=[{**entry, **changes}]))


def group(*given: tuple[str, int | None], **more: t.Any) -> dict[str, t.Any]:
    entries = [{"digest": digest, "size": size} for digest, size in given]
    return {"repository": "a", "source_repository": None, "mount_from": None, "blobs": entries, **more}


OTHER = "sha256:" + "b" * 64


def test_a_blob_that_is_given_twice_is_taken_once() -> None:
    twice = [group((DIGEST, None), (OTHER, 2), (DIGEST, 7)), group((DIGEST, 7)), group((OTHER, 2), repository="b")]
    assert blob_groups(blobs(blobs=twice)) == [
        BlobGroup("a", "", (), ((DIGEST, 7), (OTHER, 2))),
        BlobGroup("b", "", (), ((OTHER, 2),)),
    ]
    with pytest.raises(InvalidInput, match=rf"^blobs\[0\]: {DIGEST} is given twice, with the sizes 7 and 8\.$"):
        blob_groups(blobs(blobs=[group((DIGEST, 7), (DIGEST, 8))]))


def test_what_else_is_in_a_repository_is_named_with_its_place() -> None:
    source = {"registry": "s.example"}
    given = group((DIGEST, 7), source_repository="s.example:443/x")
    with pytest.raises(InvalidInput) as caught:
        blob_groups(blobs(blobs=[group(), given], source=source))
    said = str(caught.value)
    assert said.startswith("blobs[1]: malformed repository name 's.example:443/x' at the source: it has the registry")
    assert said.endswith(
        "Give source_repository: x; the registry at the source is s.example, and is given by source.registry."
    )
