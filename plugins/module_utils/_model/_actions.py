# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What happens to blobs, manifests and tags, in the words of results."""

from __future__ import annotations

EXISTS = "exists"
MOUNT = "mount"
UPLOAD = "upload"
MOUNT_OR_UPLOAD = "mount_or_upload"
DELETE = "delete"
ABSENT = "absent"
CREATE = "create"
REPLACE = "replace"
COPY = "copy"
