# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that the registries harness makes up: the same bytes with every Python."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from ansible_collections.imageops.registry.tests.registries import images


@pytest.mark.parametrize(
    ("size", "digest"),
    [
        (1, "sha256:9021de35ab4f4e6c0457534791071cedc891e409c49809f0399dc84480abebe2"),
        (65536, "sha256:559887bd6ae1c0eb8efe1f6a83452ca4d3505f281d024bf38102815bf31ab486"),
        (images.GZIP_LIMIT + 1, "sha256:7103621f7635c0f79b3729283e574bc45be49e15e857b9d3d8d6b9de336378cd"),
    ],
)
def test_layer_is_the_same_everywhere(size: int, digest: str) -> None:
    layer = images.layer("seed", size)
    content = b"".join(layer.stream())
    assert (layer.digest, layer.size) == (digest, len(content))
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize("size", [1, 65535 - 3 * 512, 65536 - 3 * 512, 131072])
def test_layer_is_good_gzip(size: int) -> None:
    layer = images.layer("seed", size)
    archive = gzip.decompress(b"".join(layer.stream()))
    assert layer.diff_id == f"sha256:{hashlib.sha256(archive).hexdigest()}"
