# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a side of a copy promises, whatever is behind it: a registry, or an image layout that answers like one."""

from __future__ import annotations

import typing as t

from .._model._errors import RegistryError
from .._model._manifest import Descriptor, Manifest
from .._run._counters import Counters
from ._body import Body
from ._last_look import LastLook, no_look
from ._purpose import Purpose
from ._referrers import Referrers
from ._upload_form import UploadForm
from ._upload_session import UploadSession


class End(t.Protocol):
    """A source or destination. What holds for all of its methods:

    - Several threads may call them at the same time; :attr:`jobs` says how many are of use.
    - A reference is a tag or a digest. All sizes and positions are in bytes.
    - Errors are of the family :class:`.RegistryError`, and name the operation and the object. A method names those that
      callers tell apart. Besides, each may raise what keeps a side from answering at all: :class:`ConnectionFailed`,
      :class:`TLSFailed`, :class:`AuthenticationFailed`, :class:`AccessDenied`, :class:`RateLimited`,
      :class:`LocalFileError`; and :class:`InvalidInput` for a name, tag or digest that breaks its grammar.
    - A single request that fails temporarily has been repeated before an error is raised. Whole uploads and downloads
      are tried again by the caller, as often as :attr:`retries` says.
    - That something isn't there is an answer to ``head_``, and :class:`NotFound` to everything that reads.

    Deleting isn't among them: see :class:`.Deleting`.
    """

    @property
    def name(self) -> str:
        """How messages and results call it: the ``host[:port]`` of a registry, the path of a layout."""

    @property
    def remote(self) -> bool:
        """Whether reading may break off half-way, and is then worth resuming."""

    @property
    def jobs(self) -> int:
        """How many things are asked of it at the same time."""

    @property
    def retries(self) -> int:
        """How many times what fails temporarily is tried again."""

    @property
    def counters(self) -> Counters:
        """What its use has cost. It counts its own requests; who moves bytes counts those."""

    @property
    def upload_form(self) -> UploadForm:
        """In which form it takes blobs: whole, or in chunks of which size. Callers keep to it, and adapt it."""

    def back_off(self, attempt: int) -> None:
        """Wait before what has failed is tried again: the longer, the higher ``attempt``, which is 0 the first time."""

    def waited(self) -> int:
        """How many times this thread has waited for the side, be it to try again or to leave it alone.

        Where that has grown, what was looked at before may have changed.
        """

    # Tags and manifests -----------------------------------------------------------------------------------------------

    def list_tags(self, repository: str) -> list[str]:
        """All tags of a repository, sorted, each once.

        Those that break the grammar are among them: who uses one checks it. Raises :class:`NotFound` where there is no
        such repository.
        """

    def lacks_repository(self, repository: str) -> bool:
        """Whether it says itself that there is no such repository, so that looking for anything in it is of no use.

        Whatever isn't clear is a no, an error as well. Nothing may depend on it but how much is asked.
        """

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """What a tag or digest is: media type, digest and size. None where it isn't there.

        ``purpose`` says what follows if it isn't, and with that how sure the answer must be.
        """

    def is_unsure(self, repository: str, tag: str) -> bool:
        """Whether :meth:`head_manifest` took a tag for absent that is denied, so that it may be there."""

    def denial_of(self, repository: str, tag: str) -> RegistryError | None:
        """The denial of a tag that :meth:`head_manifest` took for absent; None where its absence was proven."""

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """The exact bytes of a manifest, of at most 4 MiB, parsed; verified where ``reference`` is a digest.

        ``media_type`` is the type in the descriptor that led to it, empty where there is none. Raises
        :class:`NotFound`; :class:`ForeignType` for a type that can't be pushed; :class:`ProtocolViolation` where the
        bytes have another digest; and :class:`InvalidInput` for what is no manifest.
        """

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        """Store the exact bytes under a tag or their digest. A tag that points elsewhere moves.

        ``last_look`` is for tags: what guards them.

        Returns whether the side says that it lists the manifest as a referrer of its subject, which only the list
        itself proves. Raises :class:`ReferencesMissing` where the repository lacks what the manifest refers to;
        :class:`RepositoryMissing` where the repository must be created first; :class:`Unsupported` for a type or a form
        of digest that isn't taken; and :class:`ProtocolViolation` where something else was stored.
        """

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        """What refers to a digest, however the side keeps that, each once; empty where nothing does.

        How far that can be relied on is in the answer. Raises an error where there is a list that can't be read, and
        nothing else that says what there is.
        """

    # Blobs ------------------------------------------------------------------------------------------------------------

    def head_blob(self, repository: str, digest: str, purpose: Purpose = Purpose.REPORT) -> int | None:
        """The size of a blob; None where it isn't there, -1 where the side doesn't say.

        ``purpose`` as for :meth:`head_manifest`. Raises :class:`RedirectFailed` where a registry has the blob and its
        storage doesn't give it.
        """

    def get_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[t.Iterator[bytes], int]:
        """The bytes of a blob in pieces as they come, and the position at which they really begin.

        That is ``offset``, which is less than the blob's size, or 0 where the side gives the whole only. Nothing is
        verified: who reads computes the digest. The pieces must be read to their end, or closed. Raises
        :class:`NotFound`; the pieces raise :class:`ConnectionFailed` where they break off.
        """

    # Uploads ----------------------------------------------------------------------------------------------------------

    def start_upload(self, repository: str) -> UploadSession:
        """A new session, of which nothing is uploaded. Each blob has its own.

        Raises :class:`RepositoryMissing` where the repository must be created first.
        """

    def mount_blob(self, repository: str, digest: str, from_repository: str) -> UploadSession | None:
        """Have a blob of another repository on the same side. None where that is done, else a new session.

        Tried once, since an upload costs less than to wait for a mount: after an error, an upload is what is left.
        """

    def put_upload(self, session: UploadSession, digest: str, body: bytes | Body = b"") -> None:
        """Upload what is left of a blob (after ``start_upload`` all of it), and end the session. Then it is there.

        Raises :class:`UploadGone` where a new session is needed; :class:`BodyTooLarge` where smaller chunks may do;
        :class:`ContentMismatch` where the bytes don't have the size or digest; and :class:`ProtocolViolation` where
        the blob was stored under another digest.
        """

    def patch_upload(self, session: UploadSession, body: bytes | Body) -> UploadSession:
        """Upload one chunk. Returns the session to go on with, which says how much has arrived.

        Raises what :meth:`put_upload` raises, and :class:`Unsupported` where blobs are taken whole only.
        """

    def get_upload(self, session: UploadSession) -> UploadSession:
        """The session with how much has arrived, as it is to be used from now on. Raises as :meth:`patch_upload`."""

    def cancel_upload(self, session: UploadSession) -> bool:
        """Give a session up. Returns whether nothing is left of it; never raises."""
