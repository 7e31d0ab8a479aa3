# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The endpoints of the OCI distribution specification 1.1, one method each, and Docker's ``_catalog``.

The numbers are those of the specification's table of endpoints. Nothing here knows Ansible, and nothing here decides:
whether to skip, mount or upload is for the layer above.
"""

from __future__ import annotations

import threading
import typing as t
import urllib.parse

from .._end._body import Body
from .._end._last_look import LastLook, no_look
from .._end._purpose import Purpose
from .._end._referrers import Referrers
from .._end._upload_form import UploadForm
from .._end._upload_session import UploadSession
from .._http._response import Response
from .._http._scopes import CATALOG, Scopes
from .._http._transport import Transport
from .._http._url import origin_of, with_digest
from .._model._digest import check_digest, is_digest
from .._model._errors import (
    AccessDenied,
    ConnectionFailed,
    NotFound,
    ProtocolViolation,
    RegistryError,
    RepositoryMissing,
    doing,
)
from .._model._manifest import ACCEPT, Descriptor, Manifest
from .._model._reference import check_repository
from ._absence import Absence
from ._api_check import ApiCheck, check_api
from ._asking import Asker
from ._blob_reads import BlobReads
from ._denials import Denials
from ._locations import Locations, content_range, size_of
from ._manifest_reads import ManifestReads
from ._names import Names
from ._pages import Pages
from ._paths import CATALOG_PATH, blob_path, manifest_path, tags_path, uploads_path
from ._referrers_lookup import ReferrersLookup
from ._refusals import (
    check_no_page,
    check_stored,
    explain_mount,
    explain_place,
    named_errors,
    refused_delete,
    refused_manifest,
    refused_push,
    refused_upload,
    without_catalog,
)

_OCTETS = {"Content-Type": "application/octet-stream"}
_UPLOAD_TIMEOUT = 300.0
"""Seconds of silence that the end of an upload may take: the registry then hashes and moves what it got."""


class Registry:
    """One registry: :class:`.Deleting`, which says what the methods promise. Here is said which endpoint each asks.

    ``writing`` says what the account is asked for: to read only, or to push as well.

    ``pushed_to`` says that it is looked at for what has to be pushed to it. Some registries deny what isn't there. Then
    that is absent where it is pushed to: an account that may not push is denied that. Everywhere else it is an error,
    unless the registry gives away that it isn't there.

    ``before_tag`` is called right before each try to write or remove a tag, to raise an error where that mustn't be any
    more.
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
        self._before_tag = before_tag
        self._sent: set[tuple[str, str]] = set()
        """The blobs that were pushed here, by repository: that one isn't there is never believed to HEAD."""
        self._absent_blobs = Absence()
        self._lacking: dict[str, threading.Lock] = {}
        self._lacks: dict[str, bool] = {}
        self.name = transport.endpoint.registry
        self.jobs = transport.endpoint.jobs
        self.retries = transport.endpoint.retries
        self.counters = transport.counters
        self.upload_form = UploadForm(transport.endpoint.chunk_size)
        self._names = Names(self.name)
        self._asker = Asker(transport)
        self._locations = Locations(transport)
        self._pages = Pages(self._asker, self._locations)
        self._blob_reads = BlobReads(self._asker, scope_of=self._scope, size_by_head=self.head_blob)
        self._denials = Denials(transport, self.list_tags, pushed_to=pushed_to)
        self._manifests = ManifestReads(
            self._asker,
            self._names,
            self._denials,
            scope_of=self._scope,
            is_written=writing or pushed_to,
        )
        self._referrers = ReferrersLookup(
            transport,
            self._pages,
            self._names,
            scope_of=self._scope,
            read=lambda repository, tag: self._manifests.answer(repository, tag, ACCEPT),
            denial_of=self._denials.of,
            pushed_to=pushed_to,
        )

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def back_off(self, attempt: int) -> None:
        """As long as the transport waits between its own tries."""
        self._transport.back_off(attempt)

    def waited(self) -> int:
        """As often as the transport has waited for this thread."""
        return self._transport.waited()

    # The registry -----------------------------------------------------------------------------------------------------

    def check_api(self, repository: str = "") -> ApiCheck:
        """end-1, GET ``/v2/``: see :func:`.check_api`."""
        return check_api(self._transport, self._asker, repository)

    def list_repositories(self) -> list[str]:
        """GET ``/v2/_catalog``, all pages: Docker's extension, which many registries don't offer.

        Names that break the grammar are among them, since one of them must not make the others unreachable: who goes
        on with a name checks it. Raises :class:`Unsupported` where the catalog isn't offered.
        """
        what = f"list the repositories of {self.name}"
        try:
            pages = self._pages.names(what, CATALOG_PATH, CATALOG, "repositories")
        except (AccessDenied, NotFound) as error:
            raise without_catalog(error).within(what) from error
        return sorted(set(pages))

    # Tags -------------------------------------------------------------------------------------------------------------

    def list_tags(self, repository: str) -> list[str]:
        """end-8a, GET ``tags/list``, all pages."""
        what = f"list the tags of {self._names.repository(repository)}"
        return sorted(set(self._pages.names(what, tags_path(repository), self._scope(repository), "tags")))

    def lacks_repository(self, repository: str) -> bool:
        """end-8b, GET ``tags/list`` of one tag. Each repository is asked about once.

        Some registries say so of one that has blobs and nothing else.
        """
        with self._lacking.setdefault(repository, threading.Lock()):
            if repository not in self._lacks:
                what = f"list the tags of {self._names.repository(repository)}"
                path = tags_path(repository) + "?n=1"
                try:
                    response = self._asker.ask(what, "GET", path, self._scope(repository), repeat=False)
                except RegistryError:
                    # Nothing depends on it but how much is asked.
                    self._lacks[repository] = False
                else:
                    self._lacks[repository] = isinstance(response.error(), RepositoryMissing)
            return self._lacks[repository]

    def is_unsure(self, repository: str, tag: str) -> bool:
        """Where the registry denies what isn't there, as :class:`Denials` says."""
        return self._denials.is_unsure(repository, tag)

    def denial_of(self, repository: str, tag: str) -> RegistryError | None:
        """Where the registry denies what isn't there, as :class:`Denials` says."""
        return self._denials.of(repository, tag)

    # Blobs ------------------------------------------------------------------------------------------------------------

    def head_blob(self, repository: str, digest: str, purpose: Purpose = Purpose.REPORT) -> int | None:
        """end-2, HEAD.

        GET is asked where HEAD is refused, and where a storage answers it with an error, which may be open to GET only.
        That a blob isn't there is confirmed as :class:`Absence` says.
        """
        what = f"look for blob {digest} in {self._names.repository(repository)}"
        try:
            response = self._asker.ask(what, "HEAD", blob_path(repository, digest), self._scope(repository))
            if response.status == 200 and not response.is_page():
                self._absent_blobs.found()
                return size_of(response)
            if response.is_temporary() or response.is_by_proxy:
                raise response.error().within(what)
            if response.status != 404 or response.is_foreign:
                return self._blob_reads.size(what, repository, digest)
            return self._absent_blobs.confirm(
                lambda: self._blob_reads.size(what, repository, digest),
                Purpose.GUARD if (repository, digest) in self._sent else purpose,
            )
        except AccessDenied as error:
            if self._denials.is_absent(repository, error):
                return None
            raise

    def get_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[t.Iterator[bytes], int]:
        """end-2, GET with ``Range``. Where the registry doesn't understand that, the whole is read."""
        what = f"read blob {digest} from {self._names.repository(repository)}"
        rest = self._blob_reads.rest(what, repository, digest, offset) if offset else None
        if rest is not None:
            return named_errors(rest.pieces(), what), offset if rest.status == 206 else 0
        response = self._blob_reads.answer(what, repository, digest)
        if response.status == 200:
            return named_errors(response.pieces(), what), 0
        response.close()
        raise response.error().within(what)

    def delete_blob(self, repository: str, digest: str) -> bool:
        """end-10, DELETE."""
        what = f"delete blob {digest} from {self._names.repository(repository)}"
        return self._delete(what, blob_path(repository, digest), repository)

    # Manifests --------------------------------------------------------------------------------------------------------

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """end-3, HEAD, and GET where that isn't enough."""
        return self._manifests.describe(repository, reference, purpose)

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """end-3, GET. Under a tag, the bytes must have the digest that the registry says, if it says one."""
        return self._manifests.read(repository, reference, media_type)

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        """end-7, PUT. ``OCI-Subject`` says that the registry lists the manifest under its subject."""
        what = f"push {self._names.manifest(repository, reference)}"
        self._manifests.note_push(repository, reference, manifest.digest)
        response = self._asker.ask(
            what,
            "PUT",
            manifest_path(repository, reference),
            self._push(repository),
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
            last_look=self._last_look(what, reference, last_look),
        )
        if response.status not in (200, 201, 202):
            raise refused_manifest(response, reference, manifest).within(what)
        check_no_page(response, what)

        def is_there() -> bool:
            return self.head_manifest(repository, manifest.digest, Purpose.GUARD) is not None

        with doing(what):
            check_stored(response, manifest.digest, is_there)
        return manifest.subject is not None and response.headers.get("OCI-Subject", "") == manifest.subject.digest

    def delete_manifest(self, repository: str, reference: str, last_look: LastLook = no_look) -> bool:
        """end-9, DELETE."""
        what = f"delete {self._names.manifest(repository, reference)}"
        look = self._last_look(what, reference, last_look)
        return self._delete(what, manifest_path(repository, reference), repository, look)

    def _last_look(self, what: str, reference: str, last_look: LastLook) -> LastLook | None:
        """What comes right before each try to write; nothing where nothing guards it."""
        if is_digest(reference):
            return None if last_look is no_look else last_look

        def look() -> None:
            last_look()
            with doing(what):
                self._before_tag()

        return look

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        """end-12, GET ``referrers``, and the tag schema where the registry has no such API, or where its list is empty.

        Once a repository has shown that there is no API, it isn't asked for it again. Some registries answer an empty
        list for everything: only where the API has listed something before, an empty one is believed. Where the tag
        can't be read then, the empty list stands; where there is no API, that is an error.
        """
        return self._referrers.find(repository, digest)

    def has_referrers_api(self, repository: str) -> bool:
        """Whether the registry answers the question for referrers there."""
        return self._referrers.has_api(repository)

    # Uploads ----------------------------------------------------------------------------------------------------------

    def start_upload(self, repository: str) -> UploadSession:
        """end-4a, POST. Never the single-POST form, whose body may be dropped."""
        what = f"start an upload to {self._names.repository(repository)}"
        response = self._asker.ask(what, "POST", uploads_path(repository), self._push(repository), body=b"")
        if response.status == 202:
            # It is new, whatever its Range says.
            return self._locations.session(response, repository, what)._replace(received=0)
        raise refused_push(response).within(what)

    def mount_blob(self, repository: str, digest: str, from_repository: str) -> UploadSession | None:
        """end-11, POST with ``mount`` and ``from``."""
        what = f"mount blob {digest} from {from_repository} into {self._names.repository(repository)}"
        query = urllib.parse.urlencode({"mount": check_digest(digest), "from": check_repository(from_repository)})
        scopes = self._push(repository).union(Scopes.repository(from_repository, "pull"))
        path = uploads_path(repository) + "?" + query
        try:
            response = self._asker.ask(what, "POST", path, scopes, body=b"", repeat=False)
            if response.status == 201 and not response.is_page():
                self._sent.add((repository, digest))
                return None
            if response.status != 202:
                raise response.error().within(what)
        except RegistryError as error:
            explain_mount(error, from_repository)
            raise
        return self._locations.session(response, repository, what)._replace(received=0)

    def put_upload(self, session: UploadSession, digest: str, body: bytes | Body = b"") -> None:
        """end-6, PUT."""
        what = f"upload blob {digest} to {self._names.repository(session.repository)}"
        headers = dict(_OCTETS)
        if session.received and len(body):
            headers["Content-Range"] = content_range(session, len(body))
        url = with_digest(session.location, digest)
        response = self._ask_session(what, "PUT", url, session, headers, body, (201, 204))
        with doing(what):
            check_stored(response, digest, lambda: self.head_blob(session.repository, digest) is not None)
        self._sent.add((session.repository, digest))

    def patch_upload(self, session: UploadSession, body: bytes | Body) -> UploadSession:
        """end-5, PATCH."""
        what = f"upload a chunk to {self._names.repository(session.repository)}"
        headers = dict(_OCTETS)
        headers["Content-Range"] = content_range(session, len(body))
        response = self._ask_session(what, "PATCH", session.location, session, headers, body, range(200, 300))
        sent = session.received + len(body)
        found = self._locations.session(response, session.repository, what, sent)
        if found.received > sent:
            raise ProtocolViolation(f"the registry says that it has {found.received} bytes, {sent} were sent").within(
                what
            )
        return found

    def get_upload(self, session: UploadSession) -> UploadSession:
        """end-13, GET."""
        what = f"ask for the state of an upload to {self._names.repository(session.repository)}"
        response = self._ask_session(what, "GET", session.location, session, {}, None, (200, 204))
        found = self._locations.session(response, session.repository, what, session.received)
        return found._replace(is_silent=not response.headers.get("Range"))

    def cancel_upload(self, session: UploadSession) -> bool:
        """end-14, DELETE. Most accounts may not end a session.

        Tried once, and again where the connection broke off: one that was kept may have ended meanwhile, which shows
        only when it is used (RFC 9110, 9.2.2).
        """
        what = f"cancel an upload to {self._names.repository(session.repository)}"
        scopes = self._push(session.repository)
        for is_last in (False, True):
            try:
                response = self._asker.ask(what, "DELETE", session.location, scopes, repeat=False)
                break
            except ConnectionFailed as error:
                if is_last or not error.broke_off:
                    return False
            except RegistryError:
                return False
        gone = response.status == 404 and "BLOB_UPLOAD_UNKNOWN" in response.error().codes
        return gone or (response.status in (200, 202, 204) and not response.is_page())

    # What they share --------------------------------------------------------------------------------------------------

    def _scope(self, repository: str) -> Scopes:
        # One token serves all that a task does in a repository, so a task that pushes asks for both at once.
        return self._push(repository) if self._writing else Scopes.repository(repository, "pull")

    def _push(self, repository: str) -> Scopes:
        return Scopes.repository(repository, "pull", "push")

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
            response = self._asker.ask(what, method, url, scopes, headers=headers, body=body, timeout=timeout)
            if response.status not in accepted:
                raise refused_upload(response).within(what)
        except RegistryError as error:
            explain_place(error, self._transport.origin, origin_of(url))
            raise
        return response

    def _delete(self, what: str, path: str, repository: str, last_look: LastLook | None = None) -> bool:
        scopes = Scopes.repository(repository, "pull", "delete")
        response = self._asker.ask(what, "DELETE", path, scopes, last_look=last_look)
        if response.status in (200, 202, 204):
            check_no_page(response, what)
            return True
        if response.status == 404:
            return False
        raise refused_delete(response).within(what)
