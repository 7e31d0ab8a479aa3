# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._promotion._entries import image_entries

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
MIRROR = {"docker.io": "mirror/hub", "ghcr.io": "mirror/ghcr"}
NGINX = {"repository": "library/nginx", "tag": "1.27", "destination_repository": "mirror/hub/library/nginx"}
GHCR = {"repository": "team/app", "tag": "1", "destination_repository": "mirror/ghcr/team/app"}
A_LIST = "a list of references is needed, or the result of tag_info, and"
WHOLE = "give the whole result of tag_info, in place of its tags"


def entry(repository: str, tag: str = "", digest: str = "", to: str = "") -> dict[str, str]:
    parts = {"repository": repository, "tag": tag, "digest": digest, "destination_repository": to}
    return {name: value for name, value in parts.items() if value}


@pytest.mark.parametrize(
    ("references", "entries"),
    [
        ([], []),
        (["r:5000/team/app:1", "r:5000/api:2"], [entry("team/app", "1"), entry("api", "2")]),
        (["team/app:1", "app:1"], [entry("team/app", "1"), entry("app", "1")]),
        ([f"r:1/app@{DIGEST}"], [entry("app", digest=DIGEST)]),
        ([f"r:1/app:1@{DIGEST}"], [entry("app", "1", DIGEST)]),
        (
            ["docker.io/nginx:1", "index.docker.io/library/redis:7"],
            [entry("library/nginx", "1"), entry("library/redis", "7")],
        ),
        (["nginx:1", "docker.io/team/app:1"], [entry("library/nginx", "1"), entry("team/app", "1")]),
        (({"registry": "", "repository": "a", "tag": "1", "digest": ""},), [entry("a", "1")]),
        ([{"repository": "a", "tag": 1, "digest": None}], [entry("a", "1")]),
        ({"images": [{"repository": "a", "tag": "1", "digest": DIGEST}], "exists": True}, [entry("a", "1", DIGEST)]),
        ([{"registry": "Docker.io", "repository": "a", "tag": "1"}], [entry("library/a", "1")]),
        ((text for text in ["a:1"]), [entry("a", "1")]),
    ],
)
def test_references_become_entries(references: t.Any, entries: list[dict[str, str]]) -> None:
    assert image_entries(references) == entries


@pytest.mark.parametrize(
    ("references", "options", "entries"),
    [
        (["r/a:1"], {"prefix": "/mirror/x/"}, [entry("r/a", "1", to="mirror/x/r/a")]),
        (["GHCR.io/a:1", "b:1"], {"expected_registry": "ghcr.io"}, [entry("a", "1"), entry("b", "1")]),
        (
            ["a:1", "index.docker.io/b:1"],
            {"expected_registry": "docker.io"},
            [entry("library/a", "1"), entry("library/b", "1")],
        ),
        (["a:1"], {"expected_registry": "ghcr.io", "registries": MIRROR}, [entry("a", "1", to="mirror/ghcr/a")]),
        (["nginx:1.27", "ghcr.io/team/app:1"], {"registries": MIRROR}, [NGINX, GHCR]),
        (["nginx:1.27"], {"registries": MIRROR}, [NGINX]),
        (["nginx:1.27", "GHCR.io/team/app:1"], {"registries": MIRROR, "registry": "ghcr.io"}, [GHCR]),
        (
            ["nginx:1.27", "ghcr.io/x:1"],
            {"registries": {"index.docker.io": "mirror/hub"}, "registry": "docker.io"},
            [NGINX],
        ),
        (["nginx:1", "ghcr.io/x:1"], {"registry": "registry-1.docker.io"}, [entry("library/nginx", "1")]),
        (["nginx:1"], {"registry": "docker.io"}, [entry("library/nginx", "1")]),
        (["team/app:1"], {"registry": "dev.example:5000"}, [entry("team/app", "1")]),
        (
            ["a.example/x:1", "b.example/y:1"],
            {"registries": {"a.example": "", "b.example": None}},
            [entry("x", "1"), entry("y", "1")],
        ),
        (["ghcr.io/team/app:1"], {"prefix": "mirror", "registries": {"ghcr.io": "ghcr"}}, [GHCR]),
        ([], {"registry": "ghcr.io"}, []),
    ],
)
def test_prefixes_and_registries(references: t.Any, options: dict[str, t.Any], entries: list[dict[str, str]]) -> None:
    assert image_entries(references, **options) == entries


@pytest.mark.parametrize(
    ("references", "entries"),
    [
        (["r.x/a:1", "r.x/b:1", "R.x/a:1"], [entry("a", "1"), entry("b", "1")]),
        (["a:1", f"a:1@{DIGEST}"], [entry("a", "1", DIGEST)]),
        ([f"a:1@{DIGEST}", "a:1", f"a:1@{DIGEST}"], [entry("a", "1", DIGEST)]),
        ([f"a@{DIGEST}", f"a:1@{DIGEST}", f"a@{DIGEST}"], [entry("a", digest=DIGEST), entry("a", "1", DIGEST)]),
        ([f"a@{DIGEST}", f"a@{OTHER}"], [entry("a", digest=DIGEST), entry("a", digest=OTHER)]),
        (["a:1", "docker.io/library/a:1"], [entry("library/a", "1")]),
    ],
)
def test_each_target_is_there_once(references: t.Any, entries: list[dict[str, str]]) -> None:
    assert image_entries(references) == entries


def test_two_registries_may_have_the_same_image() -> None:
    same = image_entries(
        [f"a.example/x:1@{DIGEST}", f"b.example/x:1@{DIGEST}"], registries={"a.example": "m", "b.example": "m"}
    )
    assert same == [entry("x", "1", DIGEST, "m/x")]


@pytest.mark.parametrize(
    ("references", "options", "why"),
    [
        ("a:1", {}, f"{A_LIST} text was given. Put the reference into a list."),
        ({"repository": "a", "tag": "1"}, {}, f"{A_LIST} a mapping without images was given."),
        (None, {}, f"{A_LIST} something else was given."),
        (["1.0", "1.1"], {}, f"references[0]: 1.0 has neither a tag nor a digest. It looks like a tag: {WHOLE}."),
        (["v1.0-rc1"], {}, f"references[0]: v1.0-rc1 has neither a tag nor a digest. It looks like a tag: {WHOLE}."),
        (["team/app"], {}, "references[0]: team/app has neither a tag nor a digest. Write team/app:latest, if that is"),
        (
            [{"name": "team/app", "tag": "1"}],
            {},
            "references[0]: name is not part of a reference; these are registry, repository, tag, digest. Perhaps "
            "repository is meant.",
        ),
        (
            ["a:1"],
            {"prefix": "prod.example/x"},
            "the prefix prod.example/x begins with prod.example, which looks like a registry. Name the destination by "
            "the option registry of the task (in a role by its destination), and give prefix: x.",
        ),
        (["a:1"], {"prefix": "prod:5000"}, "the prefix prod:5000 begins with prod:5000, which looks like a registry."),
        (
            ["a:1", "nginx"],
            {},
            "references[1]: nginx has neither a tag nor a digest. Write nginx:latest, if that is meant; if it "
            f"is a tag, {WHOLE}.",
        ),
        (["a:1", "https://r/a:1"], {}, "references[1]: malformed reference 'https://r/a:1': "),
        ([5], {}, "references[0]: malformed reference '5'"),
        ([{"repository": "A", "tag": "1"}], {}, "references[0]: malformed repository name 'A'"),
        ([{"repository": "a", "tag": 1.1}], {}, "references[0]: malformed tag 1.1: YAML does not read it as a string."),
        (
            [{"repository": "a", "tag": "1", "tags": ["2"]}],
            {},
            "references[0]: tags is not part of a reference; these are",
        ),
        (
            ["team/app:1", "ghcr.io/team/app:1"],
            {},
            "the references are of several registries: docker.io, ghcr.io. team/app:1 names none, which means",
        ),
        (
            ["quay.io/team/app:1", "ghcr.io/team/app:1"],
            {},
            "the references are of several registries: quay.io, ghcr.io. Take those of one with registry, or give",
        ),
        (
            ["team/app:1", "quay.io/team/app:1"],
            {"expected_registry": "ghcr.io"},
            "references[1]: quay.io/team/app:1 is of quay.io, and ghcr.io is expected. Name the image as it is on",
        ),
        (
            ["a:1"],
            {"expected_registry": "ghcr.io", "registry": "ghcr.io"},
            "registry and expected_registry are mutually exclusive",
        ),
        (["a:1"], {"expected_registry": "https://ghcr.io"}, "malformed registry"),
        (
            ["quay.io/a:1", "ghcr.io/a:1"],
            {"registries": MIRROR},
            "registries has no prefix for quay.io. Add it, with an",
        ),
        (
            ["ghcr.io/a:1", "b:1"],
            {"registry": "quay.io"},
            "none of the references is of quay.io; they are of ghcr.io, docker.io. Give one of those as "
            "registry, or leave registry out.",
        ),
        (["a:1"], {"registry": "https://r"}, "malformed registry 'https://r'"),
        (["ghcr.io/a:1"], {"registries": {"ghcr.io/x": "m"}}, "malformed registry 'ghcr.io/x'"),
        (["a:1"], {"prefix": "Mirror"}, "malformed repository name 'Mirror/a': upper-case"),
        (
            [f"a:1@{DIGEST}", f"a:1@{OTHER}"],
            {},
            f"a:1@{DIGEST} and a:1@{OTHER} would both become a:1 at the destination.",
        ),
        (
            ["a.example/x:1", "b.example/x:1"],
            {"registries": {"a.example": "m", "b.example": "m"}},
            "a.example/x:1 and b.example/x:1 would both become m/x:1 at the destination. Keep one of them, or give",
        ),
    ],
)
def test_what_cannot_be_entries_is_refused(references: t.Any, options: dict[str, t.Any], why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        image_entries(references, **options)
    assert str(caught.value).startswith(why)


def test_a_mirror_may_name_its_repositories_after_the_registry() -> None:
    given = image_entries(["nginx:1", "docker.io/a/b:1"], prefix="docker.io/hub")
    assert [image["destination_repository"] for image in given] == ["docker.io/hub/library/nginx", "docker.io/hub/a/b"]
