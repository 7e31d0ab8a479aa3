# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""HEAD and GET of manifests: what is made of registries that don't answer HEAD, or not with all that it should say."""

from __future__ import annotations

import typing as t

from .._end._purpose import Purpose
from .._http._response import Response
from .._http._scopes import Scopes
from .._model._digest import algorithm_of, is_digest
from .._model._errors import AccessDenied, NotFound, ProtocolViolation, RegistryError, doing
from .._model._manifest import ACCEPT, MANIFEST_TYPES, MAXIMUM_SIZE, Descriptor, Manifest, accept, bare_media_type
from ._absence import Absence
from ._asking import Asker
from ._denials import Denials
from ._locations import number
from ._names import Names
from ._paths import manifest_path
from ._refusals import as_absent, check_no_page, check_own_answer


class ManifestReads:
    """Reads manifests of one registry.

    ``scope_of`` says with which right a repository is read. ``is_written`` says whether the registry is what a task
    changes, or would: then guards rest on what it says of tags.
    """

    def __init__(
        self,
        asker: Asker,
        names: Names,
        denials: Denials,
        *,
        scope_of: t.Callable[[str], Scopes],
        is_written: bool,
    ) -> None:
        self._asker = asker
        self._names = names
        self._denials = denials
        self._scope = scope_of
        self._is_written = is_written
        self._absent = Absence(self._head_finds_manifests)
        self._sent: set[tuple[str, str]] = set()
        """What was pushed, by repository and reference: that this isn't there is never believed to HEAD."""
        self._read: tuple[str, str] | None = None
        """A manifest that GET has found, by repository and digest."""

    def note_push(self, repository: str, *references: str) -> None:
        """Note what a push makes, whether or not the registry then answers."""
        self._sent.update((repository, reference) for reference in references)

    def describe(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """end-3, HEAD.

        GET is asked where HEAD is refused, and where it doesn't give the digest, or the size. That something isn't
        there is confirmed as :class:`Absence` says.
        """
        what = f"look for {self._names.manifest(repository, reference)}"
        path = manifest_path(repository, reference)
        try:
            response = self._asker.ask(what, "HEAD", path, self._scope(repository), headers={"Accept": ACCEPT})
        except AccessDenied as error:
            if self._denials.is_absent(repository, error, reference):
                return None
            raise
        guarded = purpose is Purpose.GUARD and self._is_written and not is_digest(reference)
        if guarded:
            check_own_answer(response, what)
        if response.is_temporary() or response.is_by_proxy:
            raise response.error().within(what)
        if response.status == 404 and not response.is_foreign:
            return self._absent.confirm(
                lambda: self._described_by_get(repository, reference, guarded=guarded),
                Purpose.GUARD if (repository, reference) in self._sent else purpose,
            )
        if response.status != 200:
            # An answer to HEAD has no body that would say why.
            return self._described_by_get(repository, reference, guarded=guarded)
        self._absent.found()
        described = _described_by_head(response, reference, what)
        return described or self._described_by_get(repository, reference, guarded=guarded)

    def read(self, repository: str, reference: str, media_type: str = "", *, guarded: bool = False) -> Manifest:
        """end-3, GET. Under a tag, the bytes must have the digest that the registry says, if it says one.

        The answer has to be the registry's own where a guard rests on it.
        """
        what = f"read {self._names.manifest(repository, reference)}"
        response = self.answer(repository, reference, accept(media_type), guarded=guarded)
        said = response.headers.get("Docker-Content-Digest", "")
        digest = reference if is_digest(reference) else ""
        with doing(what):
            manifest = Manifest.parse(response.body, response.headers.get("Content-Type", ""), digest, media_type)
        if not digest and is_digest(said) and algorithm_of(said) == "sha256" and said != manifest.digest:
            raise ProtocolViolation(
                f"the registry says that the digest is {said}, the bytes have {manifest.digest}"
            ).within(what)
        self._read = self._read or (repository, manifest.digest)
        return manifest

    def answer(self, repository: str, reference: str, accepted: str, *, guarded: bool = False) -> Response:
        """The answer to GET of a manifest, which is no page. Raises :class:`NotFound`."""
        what = f"read {self._names.manifest(repository, reference)}"
        path = manifest_path(repository, reference)
        headers = {"Accept": accepted}
        try:
            response = self._asker.ask(what, "GET", path, self._scope(repository), headers=headers, limit=MAXIMUM_SIZE)
            if guarded:
                check_own_answer(response, what)
            if response.status != 200:
                raise response.error().within(what)
        except AccessDenied as error:
            if self._denials.is_absent(repository, error, reference):
                raise as_absent(error) from error
            raise
        check_no_page(response, what)
        return response

    def _head_finds_manifests(self) -> bool | None:
        """Whether HEAD finds a manifest that GET has found; None where that isn't known."""
        if self._read is None:
            return None
        what = f"look for {self._names.manifest(*self._read)}"
        path, scope = manifest_path(*self._read), self._scope(self._read[0])
        try:
            return self._asker.ask(what, "HEAD", path, scope, headers={"Accept": ACCEPT}, repeat=False).status == 200
        except RegistryError:
            # Then GET is asked.
            return None

    def _described_by_get(self, repository: str, reference: str, *, guarded: bool = False) -> Descriptor | None:
        try:
            return self.read(repository, reference, guarded=guarded).descriptor
        except NotFound as error:
            self._denials.note(repository, reference, error)
            return None


def _described_by_head(response: Response, reference: str, what: str) -> Descriptor | None:
    """What the answer to HEAD of a tag or digest says that it is; None where it doesn't say all."""
    digest = response.headers.get("Docker-Content-Digest", "")
    size = number(response.headers.get("Content-Length", ""))
    media_type = bare_media_type(response.headers.get("Content-Type", ""))
    if is_digest(reference) and is_digest(digest) and algorithm_of(digest) != algorithm_of(reference):
        # distribution answers the sha256 digest where the sha512 one was asked for.
        digest = reference
    if is_digest(reference) and not is_digest(digest) and media_type in MANIFEST_TYPES:
        # Nothing else can be meant; but a page of a login isn't.
        digest = reference
    if not is_digest(digest) or size is None:
        return None
    if is_digest(reference) and digest != reference:
        raise ProtocolViolation(f"the registry answers with another digest, {digest}").within(what)
    return Descriptor(media_type, digest, size)
