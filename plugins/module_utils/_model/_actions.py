# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The words of results: what happens to things, and what they are found to be.

A word that is added here is among those that no secret may occur in, and a unit test asks for its documentation.
"""

from __future__ import annotations

# What happens to blobs, manifests, tags and artifacts.
EXISTS = "exists"
MOUNT = "mount"
UPLOAD = "upload"
MOUNT_OR_UPLOAD = "mount_or_upload"
DOWNLOAD = "download"
PUSH = "push"
DELETE = "delete"
ABSENT = "absent"
CREATE = "create"
REPLACE = "replace"
COPY = "copy"
LEFT_OUT = "left_out"
REVERTED = "reverted"

# What happens to images; the last four also to tags and artifacts.
PROMOTE = "promote"
UNCHANGED = "unchanged"
SKIP = "skip"
MISSING = "missing"
REFUSED = "refused"
FAILED = "failed"

# What is missing or damaged.
DAMAGED = "damaged"
MANIFEST = "manifest"
BLOB = "blob"

# How referrers were found.
API = "api"
TAG_SCHEMA = "tag_schema"

# What a digest leads to.
IMAGE = "image"
INDEX = "index"
ARTIFACT = "artifact"

# The forms of signatures; the first is also how what cosign tags was found.
COSIGN_TAG = "cosign_tag"
SIGSTORE_BUNDLE = "sigstore_bundle"
NOTATION = "notation"

# What a layout is.
DIRECTORY = "directory"
ARCHIVE = "archive"

WORDS = frozenset(value for name, value in list(globals().items()) if name.isupper())
"""All of them."""
