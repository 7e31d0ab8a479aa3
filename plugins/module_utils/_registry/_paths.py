# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Paths of endpoints. No name, tag or digest that breaks its grammar gets into one."""

from __future__ import annotations

from .._model._digest import check_digest
from .._model._reference import check_repository, check_tag

API_PATH = "/v2/"
CATALOG_PATH = "/v2/_catalog"


def path_in(repository: str, rest: str) -> str:
    """A path in a repository. Raises :class:`InvalidInput`, as all of these."""
    name = check_repository(repository)
    return f"/v2/{name}/{rest}"


def blob_path(repository: str, digest: str) -> str:
    """Where a blob is."""
    return path_in(repository, f"blobs/{check_digest(digest)}")


def manifest_path(repository: str, reference: str) -> str:
    """Where a manifest is, by its tag or digest."""
    checked = check_digest(reference) if ":" in reference else check_tag(reference)
    return path_in(repository, f"manifests/{checked}")


def uploads_path(repository: str) -> str:
    """Where uploads start."""
    return path_in(repository, "blobs/uploads/")


def tags_path(repository: str) -> str:
    """Where tags are listed."""
    return path_in(repository, "tags/list")


def referrers_path(repository: str, digest: str) -> str:
    """Where is listed what refers to a digest."""
    return path_in(repository, f"referrers/{check_digest(digest)}")
