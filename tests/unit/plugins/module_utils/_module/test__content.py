# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput, LocalFileError
from ansible_collections.imageops.registry.plugins.module_utils._module._content import decoded, read_file


@pytest.mark.parametrize("text", ["x", "a===", "eyJ\u00e9", "eyJh\n!", "ey\0J"])
def test_what_is_no_base64_is_named_by_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match="content_base64 is not valid base64"):
        decoded(text, "content_base64")
    assert decoded("eyJh", "content_base64") == b'{"a'


@pytest.mark.parametrize("text", ["eyJhIjoxfQ==", "eyJh\nIjox\nfQ==\n", "eyJhIjoxfQ", " eyJh\r\nIjoxfQ=="])
def test_base64_may_be_broken_into_lines_and_lack_its_padding(text: str) -> None:
    assert decoded(text, "content_base64") == b'{"a":1}'


def test_a_file_is_read_up_to_the_size_of_a_manifest(tmp_path: pathlib.Path) -> None:
    (tmp_path / "manifest").write_bytes(b"x" * (4 * 1024 * 1024 + 100))
    assert len(read_file(str(tmp_path / "manifest"))) == 4 * 1024 * 1024 + 1
    with pytest.raises(LocalFileError, match="absent cannot be read: No such file"):
        read_file(str(tmp_path / "absent"))
