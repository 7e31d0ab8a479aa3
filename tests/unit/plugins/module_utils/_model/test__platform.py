# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._platform import check_platform, is_meant_by


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm/v7", "windows/amd64", "linux/riscv64"])
def test_platforms(text: str) -> None:
    assert check_platform(text) == text


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "Linux/amd64", "linux/arm/v7/x", "linux/../x", "linux amd64", 7, None]
)
def test_what_is_no_platform(text: object) -> None:
    with pytest.raises(InvalidInput, match="is not a platform"):
        check_platform(text)


@pytest.mark.parametrize(
    ("platform", "wanted", "meant"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64/v3", "linux/amd64", True),
        ("linux/amd64", "linux/amd64/v1", True),
        ("linux/amd64", "linux/amd64/v3", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm64", "linux/amd64", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_which_entries_a_platform_means(platform: str, wanted: str, meant: bool) -> None:
    assert is_meant_by(platform, wanted) is meant
