# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The items that tasks hand from one to the next, as argument specs. They pair with the doc fragment ``_shapes``."""

from __future__ import annotations

import typing as t

Plain = dict[str, t.Any]

BLOB_GROUPS: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "source_repository": {"type": "str"},
        "mount_from": {"type": "list", "elements": "str", "default": []},
        "blobs": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "digest": {"type": "str", "required": True},
                "size": {"type": "int"},
                "replace": {"type": "bool", "default": False},
            },
        },
    },
}
MANIFESTS: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "source_repository": {"type": "str"},
        "digest": {"type": "str", "required": True},
        "media_type": {"type": "str"},
        "content_base64": {"type": "str"},
        "replace": {"type": "bool", "default": False},
    },
}
TAGS: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "tag": {"type": "raw", "required": True},
        "digest": {"type": "str"},
        "previous_digest": {"type": "str"},
        "content_base64": {"type": "str"},
        "summary": {"type": "dict"},
    },
}
NAMED_IMAGES: Plain = {
    "repository": {"type": "str"},
    "tag": {"type": "raw"},
    "digest": {"type": "str"},
    "images": {
        "type": "list",
        "elements": "dict",
        "options": {
            "repository": {"type": "str", "required": True},
            "tag": {"type": "raw"},
            "digest": {"type": "str"},
            "exists": {"type": "bool"},
            "media_type": {"type": "str"},
            "size": {"type": "int"},
        },
    },
}
"""One image or many, for modules that look at images.

Nothing reads ``exists``, ``media_type`` and ``size``: they are what ``manifest_info`` returns with an image.
"""
IMAGE_RULES: Plain = {
    "required_one_of": [("repository", "images")],
    "mutually_exclusive": [("repository", "images")],
    "required_by": {"tag": ("repository",), "digest": ("repository",)},
}
"""What goes together of :data:`NAMED_IMAGES`."""
