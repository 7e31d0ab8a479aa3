# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What images are brought from and to: a registry, or an image layout that answers like one."""

from __future__ import annotations

import typing as t

from .._model._manifest import Descriptor, Manifest
from .._run._counters import Counters
from ._body import Body
from ._purpose import Purpose
from ._referrers import Referrers
from ._upload_form import UploadForm
from ._upload_session import UploadSession


class End(t.Protocol):
    """One end of a transfer. The methods are those of :class:`.._registry._registry.Registry`, which says what they do.

    Deleting isn't among them: it is asked of registries only.
    """

    @property
    def name(self) -> str:
        """How it is called in messages and results."""

    @property
    def remote(self) -> bool:
        """Whether reading may break off half-way, and is then worth going on with."""

    @property
    def jobs(self) -> int:
        """How many things are asked of it at a time."""

    @property
    def retries(self) -> int:
        """How many times is repeated what fails for a while."""

    @property
    def counters(self) -> Counters:
        """What its use has cost."""

    @property
    def upload_form(self) -> UploadForm:
        """In which form it takes blobs."""

    def back_off(self, attempt: int) -> None:
        """See :meth:`.._registry._registry.Registry.back_off`."""

    def list_tags(self, repository: str) -> list[str]:
        """See :meth:`.._registry._registry.Registry.list_tags`."""

    def lacks_repository(self, repository: str) -> bool:
        """See :meth:`.._registry._registry.Registry.lacks_repository`."""

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """See :meth:`.._registry._registry.Registry.head_manifest`."""

    def is_unsure(self, repository: str, tag: str) -> bool:
        """See :meth:`.._registry._registry.Registry.is_unsure`."""

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """See :meth:`.._registry._registry.Registry.get_manifest`."""

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> bool:
        """See :meth:`.._registry._registry.Registry.put_manifest`."""

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        """See :meth:`.._registry._registry.Registry.list_referrers`."""

    def head_blob(self, repository: str, digest: str, purpose: Purpose = Purpose.REPORT) -> int | None:
        """See :meth:`.._registry._registry.Registry.head_blob`."""

    def get_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[t.Iterator[bytes], int]:
        """See :meth:`.._registry._registry.Registry.get_blob`."""

    def start_upload(self, repository: str) -> UploadSession:
        """See :meth:`.._registry._registry.Registry.start_upload`."""

    def mount_blob(self, repository: str, digest: str, from_repository: str) -> UploadSession | None:
        """See :meth:`.._registry._registry.Registry.mount_blob`."""

    def put_upload(self, session: UploadSession, digest: str, body: bytes | Body = b"") -> None:
        """See :meth:`.._registry._registry.Registry.put_upload`."""

    def patch_upload(self, session: UploadSession, body: bytes | Body) -> UploadSession:
        """See :meth:`.._registry._registry.Registry.patch_upload`."""

    def get_upload(self, session: UploadSession) -> UploadSession:
        """See :meth:`.._registry._registry.Registry.get_upload`."""

    def cancel_upload(self, session: UploadSession) -> bool:
        """See :meth:`.._registry._registry.Registry.cancel_upload`."""
