# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""GET of blobs: what is made of registries, and storages behind them, that don't understand ``Range``, or refuse it."""

from __future__ import annotations

import typing as t

from .._http._response import Response
from .._http._scopes import Scopes
from .._model._errors import AccessDenied, AuthenticationFailed, ProtocolViolation, RegistryError
from ._asking import Asker
from ._locations import begins_at, size_in_refusal, size_of
from ._paths import blob_path
from ._refusals import check_no_page

_RANGE_REFUSED = (400, 416)
"""What is answered where a part of a blob isn't given; an empty one has none. Storages also say 403."""


class BlobReads:
    """Reads blobs of one registry. ``scope_of`` says with which right a repository is read.

    ``size_by_head`` is what HEAD says of a blob, by repository and digest: as :meth:`.End.head_blob`.
    """

    def __init__(
        self,
        asker: Asker,
        *,
        scope_of: t.Callable[[str], Scopes],
        size_by_head: t.Callable[[str, str], int | None],
    ) -> None:
        self._asker = asker
        self._scope_of = scope_of
        self._size_by_head = size_by_head

    def size(self, what: str, repository: str, digest: str) -> int | None:
        """The size in bytes; None where the blob isn't there, -1 where the size isn't told. Nothing is read.

        One byte is asked for, or all where that is refused.
        """
        for asked in ("bytes=0-0", ""):
            response = self.answer(what, repository, digest, asked)
            response.close()
            if response.status not in _RANGE_REFUSED and not (response.status == 403 and response.is_foreign):
                break
        if response.status in (200, 206):
            check_no_page(response, what)
            return size_of(response)
        if response.status == 404 and not response.is_foreign:
            return None
        raise response.error().within(what)

    def rest(self, what: str, repository: str, digest: str, offset: int) -> Response | None:
        """The answer that has the blob from ``offset`` on, or all of it.

        None where it is another one: it may be the range that is refused or not understood, by the registry or by
        something in front of it, and the whole is as good. Raises what is worth another try.
        """
        try:
            response = self.answer(what, repository, digest, f"bytes={offset}-")
            if response.status == 416:
                # Some registries understand a range with an end only.
                last = self._last_byte(response, repository, digest)
                if last >= offset:
                    response = self.answer(what, repository, digest, f"bytes={offset}-{last}")
        except (AccessDenied, AuthenticationFailed, ProtocolViolation):
            return None
        if begins_at(response, offset) or (response.status == 200 and not response.is_page()):
            return response
        response.close()
        if response.is_temporary() and response.status != 500:
            raise response.error().within(what)
        return None

    def answer(self, what: str, repository: str, digest: str, asked: str = "") -> Response:
        """GET of a blob, or of the range that is asked for."""
        headers = {"Range": asked} if asked else {}
        path = blob_path(repository, digest)
        return self._asker.ask(what, "GET", path, self._scope_of(repository), headers=headers, stream=True)

    def _last_byte(self, refusal: Response, repository: str, digest: str) -> int:
        """The position of a blob's last byte, as the refusal of a range says it, or else HEAD; -1 where none does."""
        size = size_in_refusal(refusal)
        if size is not None:
            return size - 1
        try:
            size = self._size_by_head(repository, digest)
        except RegistryError:
            # Nothing depends on it but how much is read.
            return -1
        return -1 if size is None else size - 1
