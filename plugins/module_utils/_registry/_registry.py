# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The endpoints of the OCI distribution specification 1.1, one method each, and Docker's ``_catalog``.

The numbers are those of the specification's table of endpoints. Nothing here knows Ansible, and nothing here decides:
whether to skip, mount or upload is for the layer above.
"""

from __future__ import annotations

import json
import re
import threading
import typing as t
import urllib.parse

from .._end._body import Body
from .._end._purpose import Purpose
from .._end._referrers import Referrers, referrers_tag
from .._end._upload_form import UploadForm
from .._end._upload_session import UploadSession
from .._http._auth import CATALOG, NOTHING, Scopes, parse_challenges
from .._http._response import Response
from .._http._transport import Transport
from .._http._url import misled, origin_of, resolve, with_digest, without_query
from .._model._digest import algorithm_of, check_digest, compute_digest, is_digest
from .._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    BodyTooLarge,
    ConnectionFailed,
    LoginWanted,
    NotFound,
    NotGranted,
    ProtocolViolation,
    RateLimited,
    ReferencesMissing,
    RegistryError,
    RepositoryMissing,
    TLSFailed,
    Unsupported,
    UploadGone,
)
from .._model._manifest import (
    ACCEPT,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAXIMUM_SIZE,
    OCI_INDEX,
    Descriptor,
    Manifest,
    ReferrersList,
    accept,
    bare_media_type,
    parse_referrers,
    told_type,
)
from .._model._reference import check_repository, check_tag
from ._absence import Absence

_OCTETS = {"Content-Type": "application/octet-stream"}
_MAXIMUM_PAGES = 10000
_FRUITLESS_PAGES = 50
"""In a row. Some registries have pages that are empty, of what they may not show."""
_MAXIMUM_NAMES = 1000000
_MAXIMUM_REFERRERS = 10000
_MAXIMUM_PAGE_SIZE = 16 * 1024 * 1024
_MAXIMUM_LIST_SIZE = 128 * 1024 * 1024
_UPLOAD_TIMEOUT = 300.0
"""Seconds of silence that the end of an upload may take: the registry then hashes and moves what it got."""
_ABSENT_CODES = {"BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "NOT_FOUND"}
_RANGE_REFUSED = (400, 416)
"""What is answered where a part of a blob isn't given; an empty one has none. Storages also say 403."""
_DIGEST_IN_TEXT = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")
_TYPE_REFUSED = re.compile(
    r"(?:unsupported|unknown|unrecogni[sz]ed|invalid|not supported|not allowed)\b.*\b(?:media|content)[ -]?type"
    r"|\b(?:media|content)[ -]?type\b.*\b(?:unsupported|unknown|invalid|not (?:supported|allowed|accepted))",
    re.IGNORECASE,
)
"""How registries say of a manifest that they don't take its type."""
_UNNEST = "copy the indexes in it for themselves, by their digests, or build one index without others in it"
_MAXIMUM_LINK = 8 * 1024
_NO_DIGEST = "sha256:" + "0" * 64
_LINK = re.compile(r'<([^>]*)>((?:[^,"]|"(?:[^"\\]|\\.)*")*)')
_LINK_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})", re.ASCII)
_WHOLE_RANGE = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)
"""What a refusal of a range may say: the size of the whole."""


class ApiCheck(t.NamedTuple):
    """The answer of ``/v2/``."""

    is_registry: bool
    needs_login: bool
    logged_in: bool
    schemes: tuple[str, ...]
    version_header: str
    credential_source: str = ""
    """Where the credential comes from, if one was looked for and found in a file or by a helper."""


class Registry:
    """One registry. ``writing`` says what the account is asked for: to read only, or to push as well.

    ``pushed_to`` says that it is looked at for what has to be pushed to it. Some registries deny what isn't there. Then
    that is absent where it is pushed to: an account that may not push is denied that. Everywhere else it is an error,
    unless the registry gives away that it isn't there.

    ``before_tag`` is called right before a tag is written or removed, to raise an error where that mustn't be any more.
    """

    remote = True

    def __init__(
        self,
        transport: Transport,
        *,
        writing: bool,
        pushed_to: bool = False,
        before_tag: t.Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._writing = writing
        self._pushed_to = pushed_to
        self._before_tag = before_tag
        self._unsure: set[tuple[str, str]] = set()
        self._shown_registry: bool | None = None
        self._identity_lock = threading.Lock()
        self._sent: set[tuple[str, str]] = set()
        """What was pushed here, by repository and reference: that this isn't there is never believed to HEAD."""
        self._read: tuple[str, str] | None = None
        """A manifest that GET has found, by repository and digest."""
        self._absent_manifests = Absence(self._head_finds_manifests)
        self._absent_blobs = Absence()
        self._lacking: dict[str, threading.Lock] = {}
        self._lacks: dict[str, bool] = {}
        self.name = transport.endpoint.registry
        self.jobs = transport.endpoint.jobs
        self.retries = transport.endpoint.retries
        self.counters = transport.counters
        self.upload_form = UploadForm(transport.endpoint.chunk_size)
        self._has_referrers_api: dict[str, bool] = {}
        self._listing: set[str] = set()
        """Repositories of which the referrers API has listed something."""
        self._referrers_locks: dict[str, threading.Lock] = {}

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def back_off(self, attempt: int) -> None:
        """Wait before something that has failed is tried again, after the try of that number; the first is 0."""
        self._transport.back_off(attempt)

    # The registry -----------------------------------------------------------------------------------------------------

    def check_api(self, repository: str = "") -> ApiCheck:
        """end-1, GET ``/v2/``: is this a registry, does it need a login, and does it take the credential?

        The credential is that for ``repository``, or, where that is empty, for the registry. What is no registry is an
        answer. Raises :class:`AuthenticationFailed` or :class:`AccessDenied` where the credential is refused, and
        :class:`TLSFailed` where TLS is expected, and plain HTTP was spoken.
        """
        what = f"check the API of {self.name}"
        anonymous = self._ask_anonymously(what, "/v2/")
        schemes = tuple(
            dict.fromkeys(challenge.scheme for challenge in parse_challenges(anonymous.header_list("WWW-Authenticate")))
        )
        version = anonymous.headers.get("Docker-Distribution-Api-Version", "")
        problem = anonymous.error() if anonymous.status == 400 else None
        if isinstance(problem, TLSFailed):
            raise problem.within(what)
        needs_login = anonymous.status == 401
        if not _is_of_api(anonymous) or (needs_login and not schemes):
            return ApiCheck(False, needs_login, False, schemes, version)
        if not needs_login:
            return ApiCheck(True, False, False, schemes, version)
        try:
            credential = self._transport.credential_for(repository)
            if credential.is_anonymous:
                return ApiCheck(True, True, False, schemes, version)
            self._transport.learn_from(anonymous, repository)
        except RegistryError as error:
            error.within(what)
            raise
        response = self._ask(what, "GET", "/v2/", NOTHING, repository=repository)
        if response.status != 200:
            raise response.error().within(what)
        return ApiCheck(True, True, True, schemes, version, credential.source)

    def list_repositories(self) -> list[str]:
        """GET ``/v2/_catalog``, all pages: Docker's extension, which many registries don't offer.

        Names that break the grammar are among them, since one of them must not make the others unreachable: who goes
        on with a name checks it. Raises :class:`Unsupported` where the catalog isn't offered.
        """
        what = f"list the repositories of {self.name}"
        try:
            pages = self._pages(what, "/v2/_catalog", CATALOG, "repositories")
        except (AccessDenied, NotFound) as error:
            raise Unsupported(
                "the registry doesn't offer its catalog, or not to this account",
                hint=error.hint,
                **error.answer(),
            ).within(what) from error
        return sorted(set(pages))

    # Tags -------------------------------------------------------------------------------------------------------------

    def list_tags(self, repository: str) -> list[str]:
        """end-8a, GET ``tags/list``, all pages, sorted. Raises :class:`NotFound` where there is no such repository.

        Tags that break the grammar are among them, as in :meth:`list_repositories`.
        """
        what = f"list the tags of {self._named(repository)}"
        return sorted(set(self._pages(what, self._path(repository, "tags/list"), self._pull(repository), "tags")))

    def lacks_repository(self, repository: str) -> bool:
        """end-8b, GET ``tags/list`` of one tag: whether the registry says that there is no such repository.

        Some say so of one that has blobs and nothing else. Each is asked about once; whatever isn't clear is a no.
        """
        with self._lacking.setdefault(repository, threading.Lock()):
            if repository not in self._lacks:
                what = f"list the tags of {self._named(repository)}"
                path = self._path(repository, "tags/list?n=1")
                try:
                    response = self._ask(what, "GET", path, self._pull(repository), repeat=False)
                except RegistryError:
                    # Nothing depends on it but how much is asked.
                    self._lacks[repository] = False
                else:
                    self._lacks[repository] = isinstance(response.error(), RepositoryMissing)
            return self._lacks[repository]

    # Blobs ------------------------------------------------------------------------------------------------------------

    def head_blob(self, repository: str, digest: str, purpose: Purpose = Purpose.REPORT) -> int | None:
        """end-2, HEAD: the blob's size in bytes, None where it isn't there, -1 where the size isn't told.

        GET is asked where HEAD is refused, and where a storage answers it with an error, which may be open to GET only.
        That a blob isn't there is confirmed as :class:`Absence` says.
        """
        what = f"look for blob {digest} in {self._named(repository)}"
        try:
            response = self._ask(what, "HEAD", self._blob_path(repository, digest), self._scope(repository))
            if response.status == 200 and not response.is_page():
                self._absent_blobs.found()
                return _size_of(response)
            if response.is_temporary() or response.is_by_proxy:
                raise response.error().within(what)
            if response.status != 404 or response.is_foreign:
                return self._size_by_get(what, repository, digest)
            return self._absent_blobs.confirm(
                lambda: self._size_by_get(what, repository, digest),
                Purpose.GUARD if (repository, digest) in self._sent else purpose,
            )
        except AccessDenied as error:
            if self._is_absent(repository, error):
                return None
            raise

    def _size_by_get(self, what: str, repository: str, digest: str) -> int | None:
        """The same by GET: of one byte, or of all of it where the registry refuses that; it isn't read."""
        path = self._blob_path(repository, digest)
        for headers in ({"Range": "bytes=0-0"}, {}):
            response = self._ask(what, "GET", path, self._scope(repository), headers=headers, stream=True)
            response.close()
            if response.status not in _RANGE_REFUSED and not (response.status == 403 and response.is_foreign):
                break
        if response.status in (200, 206):
            _check_no_page(response, what)
            return _size_of(response)
        if response.status == 404 and not response.is_foreign:
            return None
        raise response.error().within(what)

    def get_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[t.Iterator[bytes], int]:
        """end-2, GET: the blob's bytes in pieces as they come, unverified, and the offset at which they really start.

        ``offset`` asks for the bytes from there on; a registry that ignores ``Range``, or has anything else to say to
        it, starts at 0. It must be less than the blob's size. Raises :class:`NotFound`.
        """
        what = f"read blob {digest} from {self._named(repository)}"
        rest = self._rest_of_blob(what, repository, digest, offset) if offset else None
        if rest is not None:
            return _named_errors(rest.pieces(), what), offset if rest.status == 206 else 0
        response = self._ask_for_blob(what, repository, digest, "")
        if response.status == 200:
            return _named_errors(response.pieces(), what), 0
        response.close()
        raise response.error().within(what)

    def _rest_of_blob(self, what: str, repository: str, digest: str, offset: int) -> Response | None:
        """The answer that has the blob from ``offset`` on, or all of it.

        None where it is another one: it may be the range that is refused or not understood, by the registry or by
        something in front of it, and the whole is as good. Raises what is worth another try.
        """
        try:
            response = self._ask_for_blob(what, repository, digest, f"bytes={offset}-")
            if response.status == 416:
                # Some registries understand a range with an end only.
                last = self._last_byte(response, repository, digest)
                if last >= offset:
                    response = self._ask_for_blob(what, repository, digest, f"bytes={offset}-{last}")
        except (AccessDenied, AuthenticationFailed, ProtocolViolation):
            return None
        if _begins_at(response, offset) or (response.status == 200 and not response.is_page()):
            return response
        response.close()
        if response.is_temporary() and response.status != 500:
            raise response.error().within(what)
        return None

    def _ask_for_blob(self, what: str, repository: str, digest: str, asked: str) -> Response:
        """GET of a blob, or of the range that is asked for."""
        headers = {"Range": asked} if asked else {}
        path = self._blob_path(repository, digest)
        return self._ask(what, "GET", path, self._pull(repository), headers=headers, stream=True)

    def _last_byte(self, refusal: Response, repository: str, digest: str) -> int:
        """The position of a blob's last byte, as the refusal of a range says it, or else HEAD; -1 where none does."""
        said = _WHOLE_RANGE.fullmatch(refusal.headers.get("Content-Range", ""))
        if said is not None:
            return int(said.group(1)) - 1
        try:
            size = self.head_blob(repository, digest)
        except RegistryError:
            # Nothing depends on it but how much is read.
            return -1
        return -1 if size is None else size - 1

    def delete_blob(self, repository: str, digest: str) -> bool:
        """end-10, DELETE. Returns whether it was there. Raises :class:`Unsupported` where deletes are off."""
        what = f"delete blob {digest} from {self._named(repository)}"
        return self._delete(what, self._blob_path(repository, digest), repository)

    # Manifests --------------------------------------------------------------------------------------------------------

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """end-3, HEAD: what a tag or digest is; None where it isn't there.

        GET is asked where HEAD is refused, and where it doesn't give the digest, or the size. That something isn't
        there is confirmed as :class:`Absence` says.
        """
        what = f"look for {self._manifest_name(repository, reference)}"
        path = self._manifest_path(repository, reference)
        try:
            response = self._ask(what, "HEAD", path, self._scope(repository), headers={"Accept": ACCEPT})
        except AccessDenied as error:
            if self._is_absent(repository, error, reference):
                return None
            raise
        if response.is_temporary() or response.is_by_proxy:
            raise response.error().within(what)
        if response.status == 404 and not response.is_foreign:
            return self._absent_manifests.confirm(
                lambda: self._described_by_get(repository, reference),
                Purpose.GUARD if (repository, reference) in self._sent else purpose,
            )
        if response.status != 200:
            # An answer to HEAD has no body that would say why.
            return self._described_by_get(repository, reference)
        self._absent_manifests.found()
        digest = response.headers.get("Docker-Content-Digest", "")
        size = _number(response.headers.get("Content-Length", ""))
        media_type = bare_media_type(response.headers.get("Content-Type", ""))
        if is_digest(reference) and is_digest(digest) and algorithm_of(digest) != algorithm_of(reference):
            # distribution answers the sha256 digest where the sha512 one was asked for.
            digest = reference
        if is_digest(reference) and not is_digest(digest) and media_type in MANIFEST_TYPES:
            # Nothing else can be meant; but a page of a login isn't.
            digest = reference
        if not is_digest(digest) or size is None:
            return self._described_by_get(repository, reference)
        if is_digest(reference) and digest != reference:
            raise ProtocolViolation(f"the registry answers with another digest, {digest}").within(what)
        return Descriptor(media_type, digest, size)

    def _head_finds_manifests(self) -> bool | None:
        """Whether HEAD finds a manifest that GET has found; None where that isn't known."""
        if self._read is None:
            return None
        what = f"look for {self._manifest_name(*self._read)}"
        path, scope = self._manifest_path(*self._read), self._scope(self._read[0])
        try:
            return self._ask(what, "HEAD", path, scope, headers={"Accept": ACCEPT}, repeat=False).status == 200
        except RegistryError:
            # Then GET is asked.
            return None

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """end-3, GET: the exact bytes, verified where ``reference`` is a digest.

        ``media_type`` is the type in the descriptor that led to it, empty where there is none. Raises
        :class:`NotFound`, and :class:`ForeignType` for a type that can't be pushed.
        """
        what = f"read {self._manifest_name(repository, reference)}"
        response = self._manifest_answer(repository, reference, accept(media_type))
        said = response.headers.get("Docker-Content-Digest", "")
        digest = reference if is_digest(reference) else ""
        try:
            manifest = Manifest.parse(response.body, response.headers.get("Content-Type", ""), digest, media_type)
        except RegistryError as error:
            error.within(what)
            raise
        if not digest and is_digest(said) and algorithm_of(said) == "sha256" and said != manifest.digest:
            raise ProtocolViolation(
                f"the registry says that the digest is {said}, the bytes have {manifest.digest}"
            ).within(what)
        self._read = self._read or (repository, manifest.digest)
        return manifest

    def _manifest_answer(self, repository: str, reference: str, accepted: str) -> Response:
        """The answer to GET of a manifest, which is no page. Raises :class:`NotFound`."""
        what = f"read {self._manifest_name(repository, reference)}"
        path = self._manifest_path(repository, reference)
        headers = {"Accept": accepted}
        try:
            response = self._ask(what, "GET", path, self._pull(repository), headers=headers, limit=MAXIMUM_SIZE)
            if response.status != 200:
                raise response.error().within(what)
        except AccessDenied as error:
            if self._is_absent(repository, error, reference):
                raise _as_absent(error) from error
            raise
        _check_no_page(response, what)
        return response

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> bool:
        """end-7, PUT of the exact bytes under a tag or their digest.

        Returns whether the registry says that it lists the manifest under its subject (``OCI-Subject``), which only the
        list itself proves.

        Raises :class:`ReferencesMissing` where the repository lacks what the manifest refers to,
        :class:`RepositoryMissing` where the repository must be created first, and :class:`ProtocolViolation` where the
        registry stored something else.
        """
        what = f"push {self._manifest_name(repository, reference)}"
        self._check_tag_write(what, reference)
        self._sent |= {(repository, reference), (repository, manifest.digest)}
        response = self._ask(
            what,
            "PUT",
            self._manifest_path(repository, reference),
            self._push(repository),
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
        )
        if response.status not in (200, 201, 202):
            raise self._refused_manifest(response, reference, manifest).within(what)
        _check_no_page(response, what)
        said = response.headers.get("Docker-Content-Digest", "")
        if is_digest(said) and algorithm_of(said) == algorithm_of(manifest.digest) and said != manifest.digest:
            raise ProtocolViolation(f"the registry stored another digest, {said}, than {manifest.digest}").within(what)
        return manifest.subject is not None and response.headers.get("OCI-Subject", "") == manifest.subject.digest

    def delete_manifest(self, repository: str, reference: str) -> bool:
        """end-9, DELETE of a manifest by digest (its tags go with it), or of a tag alone.

        Returns whether it was there. Raises :class:`Unsupported` where the registry deletes no such thing.
        """
        what = f"delete {self._manifest_name(repository, reference)}"
        self._check_tag_write(what, reference)
        return self._delete(what, self._manifest_path(repository, reference), repository)

    def _check_tag_write(self, what: str, reference: str) -> None:
        if not is_digest(reference):
            try:
                self._before_tag()
            except RegistryError as error:
                error.within(what)
                raise

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        """end-12, GET ``referrers``, and the tag schema where the registry has no such API, or where its list is empty.

        Once a repository has shown that there is no API, it isn't asked for it again. Some registries answer an empty
        list for everything: only where the API has listed something before, an empty one is believed. Where the tag
        can't be read then, the empty list stands; where there is no API, that is an error.
        """
        found = self._asked_first(repository, digest)
        if found.proven or found.found_by != "api":
            return found
        try:
            tagged = self._tagged_referrers(repository, digest)
        except RegistryError:
            # The API has answered. What goes wrong with a second look, which most registries don't need, is no reason
            # to fail: a refusal of the tag, a registry that is down for a moment, or a broken list of another client.
            return found
        return tagged if tagged.descriptors else found

    def has_referrers_api(self, repository: str) -> bool:
        """Whether the registry answers the question for referrers there."""
        known = self._has_referrers_api.get(repository)
        if known is not None:
            return known
        what = f"list the referrers of {self._manifest_name(repository, _NO_DIGEST)}"
        try:
            # Nothing has this digest, so where the API is, its list is empty and short.
            return isinstance(self._listed_referrers(what, repository, _NO_DIGEST), Referrers)
        except (AccessDenied, AuthenticationFailed):
            return False

    def _asked_first(self, repository: str, digest: str) -> Referrers:
        """What the API lists, or the tag where there is none."""
        if repository not in self._has_referrers_api:
            # Of many questions at once, the first finds it out for the others.
            with self._referrers_locks.setdefault(repository, threading.Lock()):
                if repository not in self._has_referrers_api:
                    return self._ask_for_referrers(repository, digest)
        if not self._has_referrers_api[repository]:
            return self._tagged_referrers(repository, digest)
        return self._ask_for_referrers(repository, digest)

    def _ask_for_referrers(self, repository: str, digest: str) -> Referrers:
        what = f"list the referrers of {self._manifest_name(repository, digest)}"
        try:
            listed = self._listed_referrers(what, repository, digest)
        except (AccessDenied, AuthenticationFailed) as error:
            return self._denied_referrers(repository, digest, error)
        if isinstance(listed, Referrers):
            return listed
        tagged = self._tagged_referrers(repository, digest)
        if not tagged.found_by:
            return tagged._replace(doubt=listed)
        # Clients keep lists here, and would not where there is an API.
        self._has_referrers_api[repository] = False
        return tagged

    def _listed_referrers(self, what: str, repository: str, digest: str) -> Referrers | RegistryError | None:
        """What the API lists; None where there is no API, or the error that keeps it from being known."""
        # Without artifactType: some registries filter by a type that isn't the manifest's.
        path = self._path(repository, f"referrers/{check_digest(digest)}")
        found: list[Descriptor] = []
        fruitless = 0
        pages = self._page_responses(what, path, self._pull(repository), {"Accept": OCI_INDEX})
        for number, response in enumerate(pages):
            listed = _referrers_list(response)
            if listed is not None:
                self._has_referrers_api[repository] = True
                self._note_unnamed(self._manifest_name(repository, digest), listed)
                fruitless = 0 if listed.entries else fruitless + 1
                if fruitless > _FRUITLESS_PAGES:
                    raise ProtocolViolation(f"{fruitless} pages in a row of the registry's list are empty").within(what)
                found += listed.entries
                if len(found) > _MAXIMUM_REFERRERS:
                    raise ProtocolViolation(f"the registry lists more than {_MAXIMUM_REFERRERS} referrers").within(what)
                continue
            error = response.error()
            unknown = bool({"NAME_UNKNOWN", "MANIFEST_UNKNOWN"} & set(error.codes))
            if response.status in (401, 403, 429) or response.is_temporary() or number:
                raise error.within(what)
            if not self._has_referrers_api.get(repository):
                if response.is_foreign or (response.status == 200 and response.is_page()):
                    # Whoever answers is not the registry: it may have the API, and list something by it.
                    return _as_doubt(error).within(what)
                # What is unknown says nothing about the API.
                if not unknown:
                    self._has_referrers_api[repository] = False
                return None
            if not unknown:
                raise error.within(what)
        if found:
            self._listing.add(repository)
        return Referrers(_distinct(found), "api", proven=repository in self._listing)

    def _note_unnamed(self, name: str, listed: ReferrersList) -> None:
        """Have the task warn of entries that name nothing, so that no artifact can be told of."""
        if listed.unnamed:
            self._transport.remark(
                f"The list of referrers of {name} has entries without a valid digest ({listed.unnamed}), which were "
                "left out"
            )

    def _denied_referrers(self, repository: str, digest: str, error: RegistryError) -> Referrers:
        """What is listed under the tag, where the account is denied the API and nothing else: then there is none.

        Raises ``error`` where the account is denied the tag as well, where the API has answered before, and where it
        isn't the registry that denies it.
        """
        absent = isinstance(error, AccessDenied) and _is_said_to_be_absent(error)
        by_registry = bool(error.url) and origin_of(error.url) == self._transport.origin
        if not absent and (repository in self._has_referrers_api or not by_registry):
            raise error
        try:
            found = self._tagged_referrers(repository, digest)
        except RegistryError:
            if absent:
                return Referrers((), "")
            raise error from None
        if isinstance(error, LoginWanted) and not found.found_by:
            return found._replace(doubt=error)
        if found.proven and not absent:
            self._has_referrers_api[repository] = False
        return found

    # Uploads ----------------------------------------------------------------------------------------------------------

    def start_upload(self, repository: str) -> UploadSession:
        """end-4a, POST: a session of its own for every blob. Never the single-POST form, whose body may be dropped."""
        what = f"start an upload to {self._named(repository)}"
        response = self._ask(what, "POST", self._path(repository, "blobs/uploads/"), self._push(repository), body=b"")
        if response.status == 202:
            # It is new, whatever its Range says.
            return self._session(response, repository, what)._replace(received=0)
        raise self._refused_push(response).within(what)

    def mount_blob(self, repository: str, digest: str, from_repository: str) -> UploadSession | None:
        """end-11, POST with ``mount`` and ``from``: None where it is mounted, else the session that came instead.

        It is tried once: an upload costs less than to wait for a mount.
        """
        what = f"mount blob {digest} from {from_repository} into {self._named(repository)}"
        query = urllib.parse.urlencode({"mount": check_digest(digest), "from": check_repository(from_repository)})
        scopes = self._push(repository).union(Scopes.repository(from_repository, "pull"))
        path = self._path(repository, "blobs/uploads/") + "?" + query
        try:
            response = self._ask(what, "POST", path, scopes, body=b"", repeat=False)
            if response.status == 201 and not response.is_page():
                self._sent.add((repository, digest))
                return None
            if response.status != 202:
                raise response.error().within(what)
        except RegistryError as error:
            _explain_mount(error, from_repository)
            raise
        return self._session(response, repository, what)._replace(received=0)

    def put_upload(self, session: UploadSession, digest: str, body: bytes | Body = b"") -> None:
        """end-6, PUT: the rest of the blob (all of it after POST), and the end of the session."""
        what = f"upload blob {digest} to {self._named(session.repository)}"
        headers = dict(_OCTETS)
        if session.received and len(body):
            headers["Content-Range"] = f"{session.received}-{session.received + len(body) - 1}"
        url = with_digest(session.location, digest)
        response = self._ask_session(what, "PUT", url, session, headers, body, (201, 204))
        said = response.headers.get("Docker-Content-Digest", "")
        if is_digest(said) and algorithm_of(said) == algorithm_of(digest) and said != digest:
            raise ProtocolViolation(f"the registry stored another digest, {said}").within(what)
        self._sent.add((session.repository, digest))

    def patch_upload(self, session: UploadSession, body: bytes | Body) -> UploadSession:
        """end-5, PATCH: one chunk. Returns the session with its new location and what the registry has now."""
        what = f"upload a chunk to {self._named(session.repository)}"
        headers = dict(_OCTETS)
        headers["Content-Range"] = f"{session.received}-{session.received + len(body) - 1}"
        response = self._ask_session(what, "PATCH", session.location, session, headers, body, range(200, 300))
        sent = session.received + len(body)
        found = self._session(response, session.repository, what, sent)
        if found.received > sent:
            raise ProtocolViolation(f"the registry says that it has {found.received} bytes, {sent} were sent").within(
                what
            )
        return found

    def get_upload(self, session: UploadSession) -> UploadSession:
        """end-13, GET: how far the session is, and its newest location. Raises :class:`UploadGone`."""
        what = f"ask for the state of an upload to {self._named(session.repository)}"
        response = self._ask_session(what, "GET", session.location, session, {}, None, (200, 204))
        found = self._session(response, session.repository, what, session.received)
        return found._replace(is_silent=not response.headers.get("Range"))

    def cancel_upload(self, session: UploadSession) -> bool:
        """end-14, DELETE, best effort: whether the session is gone. Most accounts may not end one.

        Tried once, and again where the connection broke off: one that was kept may have ended meanwhile, which shows
        only when it is used (RFC 9110, 9.2.2).
        """
        what = f"cancel an upload to {self._named(session.repository)}"
        scopes = self._push(session.repository)
        for is_last in (False, True):
            try:
                response = self._ask(what, "DELETE", session.location, scopes, repeat=False)
                break
            except ConnectionFailed as error:
                if is_last or not error.broke_off:
                    return False
            except RegistryError:
                return False
        gone = response.status == 404 and "BLOB_UPLOAD_UNKNOWN" in response.error().codes
        return gone or (response.status in (200, 202, 204) and not response.is_page())

    # What they share --------------------------------------------------------------------------------------------------

    def _ask(self, what: str, method: str, path: str, scopes: Scopes, **options: t.Any) -> Response:
        try:
            response = self._transport.exchange(method, path, scopes, **options)
            if path.startswith("/") and path != "/v2/":
                # Absolute URLs were named by the registry.
                self._check_identity(response)
        except RegistryError as error:
            error.within(what)
            raise
        return response

    def _ask_anonymously(self, what: str, path: str) -> Response:
        try:
            return self._transport.exchange_anonymously("GET", path)
        except RegistryError as error:
            error.within(what)
            raise

    def _check_identity(self, response: Response) -> None:
        """Raise :class:`ProtocolViolation` where no registry answers: whatever is asked isn't there, or is a page.

        Nothing is asked for that where an answer shows a registry. The first that doesn't leads to a look at ``/v2/``,
        for which all threads wait. Answers that are looked into anyway, or asked again, say nothing.
        """
        if self._shown_registry or _is_looked_into(response):
            return
        if response.shows_a_registry() or self._transport.was_challenged:
            self._shown_registry = True
            return
        with self._identity_lock:
            if self._shown_registry is None:
                self._shown_registry = self._has_api()
        if not self._shown_registry:
            raise ProtocolViolation(
                f"{self.name} doesn't answer as a registry: not even GET /v2/ is answered with 401, or with 200 and "
                "anything but a page in HTML",
                hint="Check the address of the registry: host and port, without a path",
                method=response.method,
                url=without_query(response.url),
                status=response.status,
            )

    def _has_api(self) -> bool:
        response = self._transport.exchange_anonymously("GET", "/v2/")
        problem = response.error() if response.status not in (200, 401) else None
        if isinstance(problem, (ConnectionFailed, TLSFailed)):
            raise problem
        # Any other 200 counts: some registries answer this one as plain text, or with nothing.
        return _is_of_api(response) or (response.status == 200 and not response.is_page())

    def _ask_session(
        self,
        what: str,
        method: str,
        url: str,
        session: UploadSession,
        headers: t.Mapping[str, str],
        body: bytes | Body | None,
        accepted: t.Container[int],
    ) -> Response:
        """Ask the place that the registry named for uploads. Raises the error that a status is which isn't accepted."""
        timeout = max(_UPLOAD_TIMEOUT, self._transport.endpoint.timeout) if body is not None else 0.0
        scopes = self._push(session.repository)
        try:
            response = self._ask(what, method, url, scopes, headers=headers, body=body, timeout=timeout)
            if response.status not in accepted:
                raise _upload_error(response).within(what)
        except RegistryError as error:
            self._explain_place(error, url)
            raise
        return response

    def _explain_place(self, error: RegistryError, url: str) -> None:
        """Say of an upload that fails at another address than the registry's that it may be the wrong one.

        At another port of its host that is all but sure, so it isn't tried again.
        """
        own, there = self._transport.origin, origin_of(url)
        same = own.host == there.host
        unreachable = isinstance(error, TLSFailed) or (
            isinstance(error, ConnectionFailed)
            and (error.refused or not error.temporary or (same and not error.broke_off))
        )
        unknown = same and error.status in (401, 403, 404, 405) and not error.errors
        if there == own or not (unreachable or unknown):
            return
        error.temporary = error.temporary and not same
        error.hint = misled(own, there, "upload")
        if error.status == 401:
            error.reason = f"{there.host}:{there.port} requires authentication, and no credential is sent there"

    def _named(self, repository: str) -> str:
        return f"{self.name}/{repository}"

    def _manifest_name(self, repository: str, reference: str) -> str:
        return f"{self._named(repository)}{'@' if is_digest(reference) else ':'}{reference}"

    def _path(self, repository: str, rest: str) -> str:
        name = check_repository(repository)
        return f"/v2/{name}/{rest}"

    def _blob_path(self, repository: str, digest: str) -> str:
        return self._path(repository, f"blobs/{check_digest(digest)}")

    def _manifest_path(self, repository: str, reference: str) -> str:
        checked = check_digest(reference) if ":" in reference else check_tag(reference)
        return self._path(repository, f"manifests/{checked}")

    def _pull(self, repository: str) -> Scopes:
        # One token serves all that a task does in a repository, so a task that pushes asks for both at once.
        return self._scope(repository)

    def _scope(self, repository: str) -> Scopes:
        return self._push(repository) if self._writing else Scopes.repository(repository, "pull")

    def _push(self, repository: str) -> Scopes:
        return Scopes.repository(repository, "pull", "push")

    def _delete(self, what: str, path: str, repository: str) -> bool:
        response = self._ask(what, "DELETE", path, Scopes.repository(repository, "pull", "delete"))
        if response.status in (200, 202, 204):
            _check_no_page(response, what)
            return True
        if response.status == 404:
            return False
        error = response.error()
        if response.status in (400, 409):
            error.hint = "Where tags or indexes still lead to it, delete those first"
        if response.status in (405, 501) or "UNSUPPORTED" in error.deciding_codes:
            raise Unsupported(
                "the registry doesn't allow it",
                hint="Its configuration may have deletes switched off",
                **error.answer(),
            ).within(what)
        raise error.within(what)

    def is_unsure(self, repository: str, tag: str) -> bool:
        """Whether a tag was taken for absent although the registry doesn't say whether it is there."""
        return (repository, tag) in self._unsure

    def _is_absent(self, repository: str, error: AccessDenied, reference: str = "") -> bool:
        """Whether what was denied isn't there, or is as good as that to who pushes. ``reference`` is a manifest's."""
        if isinstance(error, NotGranted):
            # It may as well be the password.
            return False
        if _is_said_to_be_absent(error):
            return True
        tag = "" if is_digest(reference) else reference
        if error.status == 403 and tag:
            try:
                return tag not in self.list_tags(repository)
            except NotFound:
                return True
            except RegistryError:
                # The list says nothing more.
                pass
        if not self._pushed_to or (error.status == 401 and self._transport.credential_for(repository).is_anonymous):
            # Who has forgotten to log in has to be told.
            return False
        self._unsure.add((repository, tag))
        return True

    def _described_by_get(self, repository: str, reference: str) -> Descriptor | None:
        try:
            return self.get_manifest(repository, reference).descriptor
        except NotFound:
            return None

    def _session(self, response: Response, repository: str, what: str, sent: int = 0) -> UploadSession:
        location = response.headers.get("Location", "")
        if not location:
            raise ProtocolViolation("the registry's answer has no Location").within(what)
        try:
            url = self._upgraded(resolve(response.url, location))
            if self._transport.leads_astray(url):
                raise ProtocolViolation(
                    f"the registry names a place for uploads at a local address, {origin_of(url).host}"
                )
        except RegistryError as error:
            error.within(what)
            raise
        received = sent
        match = _RANGE.fullmatch(response.headers.get("Range", ""))
        if match is not None and (sent or int(match.group(1))):
            # "0-0" also stands for an empty session, so it says nothing before the first byte was sent.
            received = int(match.group(1)) + 1
        minimum = _number(response.headers.get("OCI-Chunk-Min-Length", ""))
        return UploadSession(repository, url, received, minimum or 0)

    def _upgraded(self, url: str) -> str:
        """Undo what a TLS-terminating proxy does to a Location: http, although the registry is spoken to over TLS."""
        there, own = origin_of(url), self._transport.origin
        if own.scheme == "https" and there.scheme == "http":
            if there.host != own.host:
                raise ProtocolViolation(f"the registry names a place for uploads without TLS, on {there.host}")
            parts = urllib.parse.urlsplit(url)
            return self._transport.base + urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        return url

    def _refused_push(self, response: Response) -> RegistryError:
        error = response.error()
        if isinstance(error, NotFound):
            return RepositoryMissing(
                error.reason,
                hint="The registry doesn't create repositories on push: create it first",
                **error.answer(),
            )
        return error

    def _refused_manifest(self, response: Response, reference: str, manifest: Manifest) -> RegistryError:
        error = self._refused_push(response)
        nested = any(child.media_type in INDEX_TYPES for child in manifest.children())
        if "DIGEST_INVALID" in error.deciding_codes and is_digest(reference) and algorithm_of(reference) != "sha256":
            # The digest has been verified here.
            return Unsupported(
                f"the registry doesn't take manifests by their {algorithm_of(reference)} digest ({error.reason})",
                hint="Push to a registry that does, or build the image with sha256",
                **error.answer(),
            )
        if not _ABSENT_CODES & set(error.deciding_codes):
            return _type_refused(error, manifest, nested=nested)
        texts = [text for entry in error.errors for text in (entry.detail, entry.message)]
        digests = dict.fromkeys(digest for text in texts for digest in _DIGEST_IN_TEXT.findall(text))
        return ReferencesMissing(
            "the repository lacks what the manifest refers to"
            + (f": {', '.join(list(digests)[:5])}" if digests else ""),
            digests=list(digests),
            hint="Push the blobs and the child manifests first"
            + (f". It is a nested index, which not every registry takes: {_UNNEST}" if nested else ""),
            **error.answer(),
        )

    def _tagged_referrers(self, repository: str, digest: str) -> Referrers:
        """The list under the tag; not proven where that is denied, and taken for absent because it is pushed to."""
        tag = referrers_tag(digest)
        try:
            response = self._manifest_answer(repository, tag, ACCEPT)
        except NotFound as error:
            return Referrers((), "", proven=error.status == 404 or not self._pushed_to)
        what = f"read {self._manifest_name(repository, tag)}"
        try:
            media_type = told_type(response.body, response.headers.get("Content-Type", ""))
            # On some registries the tag resolves to the subject itself.
            if media_type not in INDEX_TYPES or compute_digest(response.body, algorithm_of(digest)) == digest:
                return Referrers((), "")
            listed = parse_referrers(response.body)
        except RegistryError as error:
            error.within(what)
            raise
        if len(listed.entries) > _MAXIMUM_REFERRERS:
            raise ProtocolViolation(f"the list has more than {_MAXIMUM_REFERRERS} referrers").within(what)
        self._note_unnamed(self._manifest_name(repository, digest), listed)
        return Referrers(_distinct(listed.entries), "tag_schema")

    def _pages(self, what: str, path: str, scopes: Scopes, key: str) -> list[str]:
        found: list[str] = []
        distinct: set[str] = set()
        fruitless = 0
        for response in self._page_responses(what, path, scopes, {"Accept": "application/json"}):
            if response.status != 200:
                raise response.error().within(what)
            try:
                response.check_no_page()
                page = json.loads(response.body.decode("utf-8"))
            except ProtocolViolation as error:
                raise error.within(what) from None
            except (ValueError, RecursionError):
                page = None
            # Some registries leave an empty list out. What has no name either is something else.
            names = page.get(key, None if "name" in page else ()) if isinstance(page, dict) else ()
            names = [] if names is None else names
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ProtocolViolation(f"the registry's answer has no valid list of {key}").within(what)
            fruitless = 0 if set(names) - distinct else fruitless + 1
            if fruitless > _FRUITLESS_PAGES:
                raise ProtocolViolation(
                    f"the registry's list goes in circles: {fruitless} pages in a row had no new {key}"
                ).within(what)
            distinct |= set(names)
            found += names
            if len(found) > _MAXIMUM_NAMES:
                raise ProtocolViolation(f"the registry lists more than {_MAXIMUM_NAMES} {key}").within(what)
        return found

    def _page_responses(
        self, what: str, path: str, scopes: Scopes, headers: t.Mapping[str, str]
    ) -> t.Iterator[Response]:
        """Follow ``Link: <...>; rel="next"`` as it is, on the registry itself only."""
        seen: set[str] = set()
        size = 0
        url = path
        # A page that leads back to an earlier one is the last: what could follow has been read.
        while url not in seen:
            if len(seen) >= _MAXIMUM_PAGES:
                raise ProtocolViolation(f"the registry's list has more than {_MAXIMUM_PAGES} pages").within(what)
            seen.add(url)
            response = self._ask(what, "GET", url, scopes, headers=headers, limit=_MAXIMUM_PAGE_SIZE)
            size += len(response.body)
            if size > _MAXIMUM_LIST_SIZE:
                raise ProtocolViolation(f"the registry's list is larger than {_MAXIMUM_LIST_SIZE} bytes").within(what)
            yield response
            following = _next_link(response.header_list("Link"))
            if not following or response.status != 200:
                return
            try:
                url = self._upgraded(resolve(response.url, following))
                foreign = origin_of(url) != self._transport.origin
            except RegistryError as error:
                error.within(what)
                raise
            if foreign:
                raise ProtocolViolation(
                    "the registry's next page is on another host",
                    hint=misled(self._transport.origin, origin_of(url), "client"),
                ).within(what)


def _named_errors(pieces: t.Iterator[bytes], what: str) -> t.Iterator[bytes]:
    try:
        yield from pieces
    except RegistryError as error:
        error.within(what)
        raise


def _as_absent(error: RegistryError) -> RegistryError:
    return NotFound(error.reason, **error.answer()).within(error.operation)


def _number(text: str) -> int | None:
    """A header's number; None for anything else, such as digits outside of ASCII or thousands of them."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _type_refused(error: RegistryError, manifest: Manifest, *, nested: bool) -> RegistryError:
    """The refusal of a manifest, in words that say which type the registry doesn't take; else the error itself."""
    texts = " ".join(f"{entry.message} {entry.detail}" for entry in error.errors)
    speaks_of_type = {"MANIFEST_INVALID", "UNSUPPORTED"} & set(error.deciding_codes)
    by_type = error.status == 415 or (speaks_of_type and _TYPE_REFUSED.search(texts))
    if nested and (by_type or speaks_of_type):
        reason = f"the registry refuses an index that has other indexes in it (a nested index): {error.reason}"
        hint = _UNNEST[0].upper() + _UNNEST[1:]
    elif by_type:
        reason = f"the registry doesn't take manifests of the type {manifest.media_type}: {error.reason}"
        hint = (
            "Push to a registry that takes this type, or build the image with OCI media types, which changes its digest"
            if manifest.media_type in (DOCKER_LIST, DOCKER_MANIFEST)
            else "Push to a registry that takes this type"
        )
    else:
        return error
    return Unsupported(reason, hint=hint, **error.answer())


def _is_of_api(response: Response) -> bool:
    """Whether an answer to GET ``/v2/`` is a registry's: 401, or a 200 that is no page or text of something else."""
    return (response.status == 401 and not response.is_foreign) or (
        response.status == 200
        and (
            "Docker-Distribution-Api-Version" in response.headers
            or bare_media_type(response.headers.get("Content-Type", "")) == "application/json"
        )
    )


def _is_looked_into(response: Response) -> bool:
    """Whether an answer says nothing about who gives it: what it has is verified, or the request is sent again."""
    if response.is_temporary() or response.is_by_proxy:
        return True
    if response.method == "HEAD":
        # But for a blob's size, what HEAD doesn't say is asked by GET.
        return response.status != 200
    return 200 <= response.status < 300 and (response.method == "GET" or "Location" in response.headers)


def _check_no_page(response: Response, what: str) -> None:
    try:
        response.check_no_page()
    except ProtocolViolation as error:
        error.within(what)
        raise


def _begins_at(response: Response, offset: int) -> bool:
    """Whether an answer has one range of a blob, and says that it is the one from ``offset`` on."""
    if response.status != 206 or bare_media_type(response.headers.get("Content-Type", "")) == "multipart/byteranges":
        return False
    start = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""), re.ASCII)
    return start is not None and int(start.group(1)) == offset


def _size_of(response: Response) -> int:
    """The size in bytes of the blob that HEAD or GET answers with; -1 where it isn't told."""
    text = response.headers.get("Content-Length", "")
    if response.status == 206:
        text = response.headers.get("Content-Range", "").rpartition("/")[2]
    size = _number(text)
    return -1 if size is None else size


def _referrers_list(response: Response) -> ReferrersList | None:
    """The list of referrers that an answer is; None where it is none."""
    if response.status != 200 or bare_media_type(response.headers.get("Content-Type", "")) != OCI_INDEX:
        return None
    try:
        return parse_referrers(response.body)
    except RegistryError:
        return None


def _as_doubt(error: RegistryError) -> RegistryError:
    """Why it isn't known what refers to an image, in place of a list."""
    facts = {name: getattr(error, name) for name in ("method", "url", "status", "errors")}
    hint = "Signatures may be there. Check the address of the registry, and whether a login stands in front of it"
    return ProtocolViolation(error.reason, hint=hint, **facts)


def _distinct(descriptors: t.Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    return tuple({descriptor.digest: descriptor for descriptor in descriptors}.values())


def _is_said_to_be_absent(error: RegistryError) -> bool:
    """Whether a registry that denies something gives away that it isn't there."""
    return bool({*_ABSENT_CODES, "NAME_UNKNOWN"} & set(error.codes))


def _next_link(headers: t.Iterable[str]) -> str:
    for header in headers:
        for target, parameters in _LINK.findall(header[:_MAXIMUM_LINK]):
            for name, quoted, bare in _LINK_PARAMETER.findall(parameters):
                if name.lower() == "rel" and "next" in (quoted or bare).lower().split():
                    return str(target)
    return ""


def _explain_mount(error: RegistryError, from_repository: str) -> None:
    """Say of a refused mount what that means for a mount: as a rule, nothing but that an upload comes next."""
    if isinstance(error, NotFound):
        # NAME_UNKNOWN and BLOB_UNKNOWN may be said of either repository.
        error.reason = f"the blob couldn't be mounted ({error.reason})"
        error.hint = ""
    elif isinstance(error, (AccessDenied, AuthenticationFailed)):
        error.hint = f"A mount needs the right to read {from_repository}"
    elif isinstance(error, RateLimited):
        error.hint = ""


def _upload_error(response: Response) -> RegistryError:
    error = response.error()
    gone = {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"} & set(error.deciding_codes)
    if gone or response.status in (404, 416):
        return UploadGone(
            error.reason if gone else "the upload session is gone",
            hint="Where this happens again and again, the registry's replicas may not share their secret or storage",
            **error.answer(),
            temporary=True,
        )
    if response.status == 413:
        return BodyTooLarge(
            "the body of the request is too large for the registry, or for something in front of it",
            hint="Have the limit raised that is set there for the body of a request",
            **error.answer(),
        )
    return error
