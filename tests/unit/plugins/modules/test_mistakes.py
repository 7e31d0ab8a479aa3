# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module, and its mistakes: one sentence that names what and where, before anything is asked of a registry.

Whoever adds a module adds it to ``MODULES``.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    NO_TRANSFER,
    Plain,
    fail,
    names_of_modules,
    run_module,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

HOST = "own.example:5000"
SOURCE_HOST = "source.example:5000"
SOURCE = {"registry": SOURCE_HOST, "plain_http": True}

Mistake = tuple[str, Plain, list[str]]
"""A module, options beside those that are enough for it (None leaves one out), and what the sentence has in it."""

MODULES: dict[str, Plain] = {
    "blob": {"repository": "a/none", "digest": DIGEST, "source": SOURCE},
    "blob_download": {"repository": "a/none", "digest": DIGEST, "dest": "/nowhere/blob"},
    "blob_info": {"repository": "a/none", "digest": DIGEST},
    "image_archive": {
        "state": "exported",
        "path": "/nowhere/layout",
        "images": [{"repository": "a/none", "digest": DIGEST}],
    },
    "image_copy": {"source": SOURCE, "images": [{"repository": "a/none", "digest": DIGEST, "tags": ["none"]}]},
    "image_diff_info": {"source": SOURCE, "images": [{"repository": "a/none", "digest": DIGEST, "tags": ["none"]}]},
    "manifest": {"repository": "a/none", "digest": DIGEST, "source": SOURCE},
    "manifest_info": {"repository": "a/none", "tag": "none"},
    "referrer_info": {"repository": "a/none", "digest": DIGEST},
    "image_info": {"repository": "a/none", "digest": DIGEST},
    "promotion_info": {"repository": "a/none", "digest": DIGEST},
    "signature_info": {"repository": "a/none", "digest": DIGEST, "signatures": [{"mode": "none"}]},
    "registry_info": {},
    "repository_info": {},
    "tag": {"repository": "a/none", "tag": "none", "digest": DIGEST},
    "tag_info": {"repository": "a/none"},
}

OWN_SENTENCES: list[Mistake] = [
    ("blob", {"digest": "sha256:abc"}, ["sha256:abc"]),
    ("blob", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("blob", {"source_repository": "UPPER/case"}, ["UPPER/case"]),
    ("blob", {"mount_from": ["UPPER/case"]}, ["UPPER/case"]),
    ("blob", {"source": {"registry": "a/b"}}, ["source.registry: malformed registry 'a/b'"]),
    (
        "blob",
        {"source": {"registry": "a", "auth_file": "nowhere"}},
        ["source.auth_file", "/nowhere", "working directory"],
    ),
    ("blob", {"source": {"registry": "a", "ca_path": "/nowhere"}}, ["source.ca_path", "/nowhere"]),
    ("blob", {"source": None, "path": "/nowhere/blob"}, ["/nowhere/blob"]),
    ("blob", {"digest": None}, ["digest"]),
    ("blob", {"timeout": 0}, ["timeout"]),
    ("blob", {"jobs": 0}, ["jobs"]),
    ("blob", {"retries": -1}, ["retries"]),
    ("blob_download", {"digest": "sha256:abc"}, ["sha256:abc"]),
    ("blob_download", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("blob_info", {"digest": "sha256:abc"}, ["sha256:abc"]),
    ("blob_info", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("image_archive", {"images": [{"repository": "UPPER/case", "tag": "a"}]}, ["UPPER/case", "images[0]"]),
    ("image_copy", {"images": [{"repository": "UPPER/case", "tag": "a"}]}, ["UPPER/case", "images[0]"]),
    ("image_copy", {"images": [{"repository": "a"}]}, ["images[0]", "tag", "digest"]),
    ("image_copy", {"platforms": ["linux"]}, ["'linux'", "images[0]", "os/architecture"]),
    ("image_copy", {"flatten": True}, ["images[0]", "flatten", "platforms"]),
    ("image_copy", {"artifacts": ["all", "a/b"]}, ["images[0]", "artifacts"]),
    ("image_copy", {"immutable_tags": ["["]}, ["[", "immutable_tags"]),
    ("image_diff_info", {"images": [{"repository": "UPPER/case", "tag": "a"}]}, ["UPPER/case", "images[0]"]),
    ("image_diff_info", {"images": [{"repository": "a", "tag": "-a"}]}, ["-a", "images[0]"]),
    ("image_diff_info", {"images": [{"repository": "a", "digest": "sha256:abc"}]}, ["sha256:abc", "images[0]"]),
    ("image_diff_info", {"images": [{"repository": "a"}]}, ["images[0]", "tag", "digest"]),
    ("manifest", {"digest": "sha256:abc"}, ["sha256:abc"]),
    ("manifest", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("manifest", {"source": None, "path": "/nowhere/manifest"}, ["/nowhere/manifest"]),
    ("manifest", {"digest": None}, ["digest"]),
    ("manifest", {"digest": None, "state": "absent"}, ["digest"]),
    ("manifest_info", {"tag": "-a"}, ["-a"]),
    ("manifest_info", {"tag": None, "digest": "sha256:abc"}, ["sha256:abc"]),
    ("manifest_info", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("manifest_info", {"tag": None}, ["tag", "digest"]),
    (
        "manifest_info",
        {"repository": None, "tag": None, "images": [{"repository": "a"}]},
        ["images[0]", "tag", "digest"],
    ),
    ("referrer_info", {"digest": "sha256:abc"}, ["sha256:abc"]),
    ("referrer_info", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("registry_info", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("image_info", {"signatures": [{"mode": "required"}]}, ["signatures[0]", "keys", "certificates"]),
    ("promotion_info", {"newest": 0}, ["newest", "0"]),
    ("signature_info", {"signatures": [{"mode": "required"}]}, ["signatures[0]", "keys", "certificates"]),
    ("signature_info", {"signatures": [{"keys": ["/nowhere/key.pub"]}]}, ["signatures[0].keys[0]", "/nowhere/key.pub"]),
    ("repository_info", {"match": ["["]}, ["[", "match"]),
    ("tag", {"tag": "-a"}, ["-a"]),
    ("tag", {"digest": "sha256:abc"}, ["sha256:abc"]),
    ("tag", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("tag", {"digest": None}, ["digest"]),
    ("tag_info", {"repository": "UPPER/case"}, ["UPPER/case"]),
    ("blob", {"repository": "team/app:1"}, ["the tag 1 in it", "Give repository: team/app"]),
    (
        "blob",
        {"source_repository": f"{SOURCE_HOST}/a"},
        ["at the source", "Give source_repository: a;", "source.registry"],
    ),
    (
        "blob",
        {"repository": None, "digest": None, "blobs": [{"repository": "x.example:1/a", "blobs": []}]},
        ["blobs[0]: ", "the registry x.example:1 in it", "at the destination"],
    ),
    ("blob_download", {"repository": f"{HOST}/a"}, [f"the registry {HOST} in it", "Give repository: a;"]),
    ("blob_info", {"repository": f"a@{DIGEST}"}, [f"the digest {DIGEST} in it"]),
    (
        "image_archive",
        {"images": [{"repository": f"{HOST}/a", "tag": "a"}]},
        ["images[0]: ", "at the source", "Give repository: a;"],
    ),
    (
        "image_archive",
        {"images": [{"repository": "a", "tag": "a", "destination_repository": f"{HOST}/a"}]},
        ["images[0]: ", "at the destination", "Give destination_repository: a."],
    ),
    (
        "image_archive",
        {"state": "imported", "images": [{"repository": "a", "tag": "a", "destination_repository": f"{HOST}/a"}]},
        ["images[0]: ", "at the destination", "given by registry."],
    ),
    (
        "image_archive",
        {"state": "imported", "images": None, "default_repository": f"{HOST}/a"},
        ["Give default_repository: a;", "at the destination"],
    ),
    (
        "image_copy",
        {"images": [{"repository": f"{SOURCE_HOST}/a", "tag": "a"}]},
        ["images[0]: ", "at the source", "Give repository: a;", "source.registry"],
    ),
    (
        "image_copy",
        {"images": [{"repository": "a", "tag": "a", "destination_repository": f"{HOST}/a:1"}]},
        ["images[0]: ", "at the destination", "and the tag 1 in it", "Give destination_repository: a,"],
    ),
    ("image_copy", {"images": [{"repository": "a", "tag": DIGEST}]}, ["images[0]: ", "it is a digest"]),
    ("image_diff_info", {"images": [{"repository": "a:1"}]}, ["images[0]: ", "at the source", "the tag 1 in it"]),
    (
        "image_diff_info",
        {"images": [{"repository": f"user:hidden@{SOURCE_HOST}/a", "tag": "a"}]},
        ["images[0]: ", "'********@"],
    ),
    ("manifest", {"repository": f"{HOST}/a"}, ["at the destination", "Give repository: a;"]),
    (
        "manifest",
        {
            "repository": None,
            "digest": None,
            "manifests": [{"repository": "a", "digest": DIGEST}, {"repository": "a:1", "digest": DIGEST}],
        },
        ["manifests[1]: "],
    ),
    ("manifest_info", {"repository": f"{HOST}/a"}, ["Give repository: a;", "given by registry"]),
    ("referrer_info", {"repository": f"{HOST}/a"}, ["Give repository: a;"]),
    ("registry_info", {"repository": f"{HOST}/a"}, ["Give repository: a;"]),
    ("tag", {"repository": f"{HOST}/a"}, ["Give repository: a;"]),
    (
        "tag",
        {
            "repository": None,
            "tag": None,
            "digest": None,
            "tags": [{"repository": "a:1", "tag": "a", "digest": DIGEST}],
        },
        ["tags[0]: ", "the tag 1 in it"],
    ),
    ("tag_info", {"repository": "a:1"}, ["Give repository: a,"]),
    ("tag_info", {"repository": None, "repositories": [f"{HOST}/a"]}, ["Give repositories: a;"]),
    (
        "image_copy",
        {"images": [{"repository": "a", "tag": "b", "tags": []}]},
        ["images[0]: tags is empty beside the tag b"],
    ),
    (
        "image_diff_info",
        {"images": [{"repository": "a", "tag": "b", "tags": []}]},
        ["images[0]: tags is empty beside the tag b"],
    ),
    (
        "image_archive",
        {"images": [{"repository": "a", "tag": "b", "tags": []}]},
        ["images[0]: tags is empty beside the tag b"],
    ),
    (
        "image_archive",
        {"state": "imported", "images": [{"repository": "a", "tag": "b", "tags": []}]},
        ["images[0]: tags is empty beside the tag b"],
    ),
    (
        "image_archive",
        {"images": [{"repository": "a", "tag": "b", "name": "x"}, {"repository": "a", "tag": "b", "name": "y"}]},
        ["images[1]: ", "another name before"],
    ),
    (
        "image_copy",
        {"images": [{"repository": "a", "tag": "b"}, {"repository": "a", "tag": "b", "on_conflict": "fail"}]},
        ["images[0] and images[1]", "on_conflict"],
    ),
    (
        "tag",
        {
            "repository": None,
            "tag": None,
            "digest": None,
            "tags": [
                {"repository": "a", "tag": "b", "digest": DIGEST},
                {"repository": "a", "tag": "b", "digest": OTHER_DIGEST},
            ],
        },
        ["tags[0] and tags[1]", "/a:b", "digest"],
    ),
    (
        "blob",
        {"source": {"registry": "a", "username": "", "password": ""}},
        ["source.username: it is empty text", "omit"],
    ),
    ("image_copy", {"source": {"registry": "a", "auth_file": ""}}, ["source.auth_file: it is empty text"]),
    ("manifest_info", {"username": "", "password": ""}, ["username: it is empty text"]),
    ("tag_info", {"token": ""}, ["token: it is empty text"]),
    ("registry_info", {"auth_file": ""}, ["auth_file: it is empty text"]),
]

SHAPES: list[Mistake] = [
    ("blob", {"repository": None}, ["repository", "digest"]),
    ("manifest", {"repository": None}, ["repository", "digest"]),
    ("blob", {"repository": None, "digest": None, "blobs": DIGEST}, ["blobs must be a list of mappings"]),
    (
        "blob",
        {"repository": None, "digest": None, "blobs": [{"repository": "a", "blobs": [DIGEST]}]},
        ["blobs[0].blobs[0] must be a mapping", "text was given"],
    ),
    (
        "blob_download",
        {"repository": None, "digest": None, "blobs": {"repository": "a"}},
        ["blobs must be a list", "a mapping was given"],
    ),
    (
        "blob_info",
        {"repository": None, "digest": None, "blobs": [[]]},
        ["blobs[0] must be a mapping", "a list was given"],
    ),
    (
        "image_archive",
        {"images": "team/app:1"},
        ["images must be a list of mappings", "imageops.registry.image_entries"],
    ),
    (
        "image_copy",
        {"images": {"repository": "a", "tag": "a"}},
        ["images must be a list of mappings", "a mapping was given"],
    ),
    ("image_copy", {"images": ["team/app:1"]}, ["images[0] must be a mapping", "imageops.registry.image_entries"]),
    (
        "image_copy",
        {"images": [{"registry": "", "repository": "a", "tag": "a", "digest": ""}]},
        ["images[0] has the key registry", "imageops.registry.image_entries"],
    ),
    (
        "image_copy",
        {"images": [{"repository": "a", "tag": "a", "tags": 1.1}]},
        ["images[0].tags must be a list", "a number was given"],
    ),
    (
        "image_copy",
        {"images": [{"repository": "a", "tag": "a", "immutable_tags": "v[0-9]{1,3}"}]},
        ["images[0].immutable_tags must be a list", "a comma"],
    ),
    ("image_copy", {"immutable_tags": "v[0-9]{1,3}"}, ["immutable_tags must be a list", "a comma"]),
    ("image_copy", {"source": SOURCE_HOST}, ["source must be a mapping", "text was given"]),
    (
        "image_diff_info",
        {"images": [{"repository": ["a"], "tag": "a"}]},
        ["images[0].repository must be text", "a list was given"],
    ),
    ("manifest", {"repository": None, "digest": None, "manifests": DIGEST}, ["manifests must be a list of mappings"]),
    ("manifest_info", {"repository": None, "tag": None, "images": ["a:1"]}, ["images[0] must be a mapping"]),
    (
        "referrer_info",
        {"repository": None, "digest": None, "images": {"repository": "a"}},
        ["images must be a list of mappings"],
    ),
    ("repository_info", {"match": {"a": "b"}}, ["match must be a list", "a mapping was given"]),
    ("tag", {"repository": None, "tag": None, "digest": None, "tags": ["a:1"]}, ["tags[0] must be a mapping"]),
    ("tag_info", {"pattern": "v[0-9]{1,3}"}, ["pattern must be a list", "a comma"]),
]

OF_ANSIBLE: list[Mistake] = [
    ("blob", {"password": "x"}, ["username", "password"]),
    ("blob", {"client_key": "/nowhere/key"}, ["client_cert"]),
    ("blob_download", {"dest": None}, ["dest"]),
    ("blob_download", {"digest": None}, ["repository", "digest"]),
    ("blob_info", {"digest": None}, ["repository", "digest"]),
    ("image_archive", {"images": None}, ["images"]),
    ("image_archive", {"path": None}, ["path"]),
    ("image_copy", {"source": None}, ["source"]),
    ("image_diff_info", {"source": None}, ["source"]),
    ("tag", {"tag": None}, ["repository", "tag"]),
    ("tag_info", {"repository": None}, ["repository", "repositories"]),
]


def options_of(module: str, changes: Plain) -> Plain:
    given = {"registry": HOST, **MODULES[module], **changes}
    return {name: value for name, value in given.items() if value is not None}


def said(mistake: Mistake) -> Plain:
    module, changes, names = mistake
    failed = fail(module, options_of(module, changes))
    assert [name for name in names if name not in failed["msg"]] == [], failed["msg"]
    assert "Supported parameters" not in failed["msg"] and "hidden" not in failed["msg"]
    assert not failed.get("changed")
    return failed


def test_every_module_is_in_the_table() -> None:
    assert sorted(MODULES) == names_of_modules()
    for table in (OWN_SENTENCES, SHAPES, OF_ANSIBLE):
        assert {module for module, _changes, _names in table} <= set(MODULES)
    assert {module for module, _changes, _names in OWN_SENTENCES} == set(MODULES)


@pytest.mark.parametrize("mistake", OWN_SENTENCES, ids=lambda mistake: f"{mistake[0]} {mistake[2][0]}"[:60])
def test_a_mistake_is_one_sentence_and_costs_nothing(mistake: Mistake) -> None:
    failed = said(mistake)
    assert failed["msg"].endswith(".")
    assert failed["transfer"] == NO_TRANSFER


@pytest.mark.parametrize("mistake", SHAPES, ids=lambda mistake: f"{mistake[0]} {mistake[2][0]}"[:60])
def test_another_shape_is_named_before_ansible_names_it(mistake: Mistake) -> None:
    assert said(mistake)["msg"].endswith(".")


@pytest.mark.parametrize("mistake", OF_ANSIBLE, ids=lambda mistake: f"{mistake[0]} {mistake[2][0]}"[:60])
def test_what_is_missing_beside_another_option_is_named(mistake: Mistake) -> None:
    said(mistake)


# What isn't there ----------------------------------------------------------------------------------------------------

FAILING = {
    "blob": ("{source}/a/none", DIGEST),
    "blob_download": ("{registry}/a/none", DIGEST),
    "image_archive": ("{registry}/a/none", DIGEST),
    "image_copy": ("Nothing was written.", "{source}/a/none", DIGEST),
    "manifest": ("{source}/a/none", DIGEST),
    "tag": ("{registry}/a/none", DIGEST),
}
"""These modules fail where what they want isn't there, and name it. The others say so in their result."""


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"registry_info", "repository_info"}))
def test_what_is_not_there(registry: RegistryServer, source: RegistryServer, module: str, tmp_path: t.Any) -> None:
    ends: Plain = dict(registry.options)
    given = dict(MODULES[module])
    if "source" in given:
        given["source"] = {"registry": source.host, "plain_http": True}
    for option in ("path", "dest"):
        if option in given:
            given[option] = str(tmp_path / "new")
    result = run_module(module, {**given, **ends})
    assert not result.get("changed")
    assert registry.writes == source.writes == []
    assert result.get("failed", False) is (module in FAILING)
    for words in FAILING.get(module, ()):
        assert words.format(registry=registry.host, source=source.host) in result["msg"]
    if module not in FAILING:
        found = result["images"][0] if module == "image_diff_info" else result
        assert found["exists"] is False
