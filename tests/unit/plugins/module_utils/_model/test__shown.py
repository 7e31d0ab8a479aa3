# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._download import check_dest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._auth_files import _checked_credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential_helper import ask_helper
from ansible_collections.imageops.registry.plugins.module_utils._layout._opening import open_layout
from ansible_collections.imageops.registry.plugins.module_utils._model._actions import ARCHIVE, DIRECTORY
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import LocalFileError, RegistryError
from ansible_collections.imageops.registry.plugins.module_utils._model._platform import check_platform
from ansible_collections.imageops.registry.plugins.module_utils._model._selection import tag_selection
from ansible_collections.imageops.registry.plugins.module_utils._model._shown import abridged, without_secrets
from ansible_collections.imageops.registry.plugins.module_utils._module._archive_arguments import _checked
from ansible_collections.imageops.registry.plugins.module_utils._module._image_arguments import _artifacts
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import distinct_images
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item

SECRET = "Sup3rS3cret"
LOGIN = f"u:{SECRET}@host:5000"
PEM = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"


def immutable(text: str) -> object:
    return distinct_images([image_item("a", tag="1", tags=("1",), immutable_tags=(text,))], "r.example")


@pytest.mark.parametrize(
    "use",
    [
        lambda: check_platform(LOGIN),
        lambda: immutable(f"({LOGIN}"),
        lambda: immutable(f"(?P<u:{SECRET}>x)@host"),
        lambda: tag_selection([f"({LOGIN}"], [], "", None, digest_tags=False),
        lambda: tag_selection([], [f"(?P<u:{SECRET}>x)@host"], "", None, digest_tags=False),
        lambda: tag_selection([], [], LOGIN, None, digest_tags=False),
        lambda: tag_selection([], [], f">=1 u:{SECRET} ||x@host", None, digest_tags=False),
        lambda: _checked(f"/{LOGIN}/r", 0),
        lambda: _artifacts([LOGIN]),
        lambda: ask_helper(LOGIN, "r.example", "config.json"),
        lambda: _checked_credential({}, f"https://{LOGIN}", "config.json"),
    ],
)
def test_what_may_be_a_login_in_the_value_of_an_option_is_not_shown(use: t.Callable[[], object]) -> None:
    with pytest.raises(RegistryError) as caught:
        use()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("form", [ARCHIVE, DIRECTORY])
@pytest.mark.parametrize("writing", [True, False])
def test_the_content_of_a_file_in_the_place_of_a_layout_is_not_shown(
    tmp_path: pathlib.Path, form: str, *, writing: bool
) -> None:
    with pytest.raises(LocalFileError, match="looks like the content of one") as caught:
        open_layout(f"{tmp_path}/{PEM}", form, Counters(), writing=writing, jobs=1, names={})
    assert SECRET not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_content_of_a_file_in_the_place_of_a_download_is_not_shown() -> None:
    with pytest.raises(LocalFileError, match="^dest: the path of a file is wanted") as caught:
        check_dest(PEM)
    assert SECRET not in str(caught.value)


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    assert without_secrets("word, a word-in-full, other", ["word", "word-in-full", ""]) == "********, a ********, other"


def test_a_log_gets_the_first_entries_of_each_list() -> None:
    images = [{"repository": f"team/{number}", "tags": list(range(21))} for number in range(22)]
    shown = abridged({"images": images, "registry": "prod.example", "tags": ("a", "b")})
    assert shown["registry"] == "prod.example" and shown["tags"] == ["a", "b"]
    assert shown["images"][19:] == [{"repository": "team/19", "tags": [*range(20), "and 1 more"]}, "and 2 more"]
    assert len(images) == 22
