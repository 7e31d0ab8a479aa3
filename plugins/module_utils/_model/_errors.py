# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One family of errors, each with its facts in it.

Nothing here ever holds a header, a query string or a credential: what an error holds may be printed.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

TEMPORARY_STATUS = (408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524)
"""What may be gone at the next try."""
CODES_DECIDE = 500
"""The one of these of which the codes in the body say whether it may."""
_LONGEST_REASON = 2000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""What must not reach a screen; registries choose parts of reasons."""


def printable(text: str) -> str:
    """A text that others have chosen, fit for a screen: on one line, and of at most 2,000 characters."""
    return _UNPRINTABLE.sub(" ", text)[:_LONGEST_REASON]


class ErrorDetail(t.NamedTuple):
    """One entry of the ``errors`` list of a registry's answer (distribution spec, "Error Codes")."""

    code: str
    message: str
    detail: str


class RegistryError(Exception):
    """Something that was asked of a registry, or of a file beside it, could not be done.

    ``reason`` says why in a few words, ``hint`` what to do next. ``temporary`` errors may be gone at the next try.
    The other facts are filled in by the layer that knows them, see :meth:`within` and :meth:`at_option`.
    """

    def __init__(
        self,
        reason: str,
        *,
        hint: str = "",
        method: str = "",
        url: str = "",
        status: int | None = None,
        errors: t.Sequence[ErrorDetail] = (),
        temporary: bool = False,
    ) -> None:
        reason = printable(reason)
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.method = method
        self.url = url
        self.status = status
        self.errors = tuple(errors)
        self.temporary = temporary
        self.may_have_written = False
        """Whether a tag's write was sent before it failed, so that it may have happened all the same."""
        self.operation = ""
        self.option = ""

    def within(self, operation: str) -> RegistryError:
        """Name the operation that failed, unless a layer nearer to the failure has named it. Returns itself."""
        if not self.operation:
            self.operation = operation
        return self

    def at_option(self, option: str) -> RegistryError:
        """Name the option of the module that is at fault, from the inside out. Returns itself."""
        self.option = f"{option}.{self.option}" if self.option else option
        return self

    @property
    def codes(self) -> tuple[str, ...]:
        """The error codes of the registry's answer, in upper case."""
        return tuple(error.code.upper() for error in self.errors)

    @property
    def deciding_codes(self) -> tuple[str, ...]:
        """Those of the codes that say what it is: none where the status says by itself that the failure is temporary.

        Registries that are throttled put any code there (Pulp: 429 ``UNSUPPORTED``).
        """
        return () if self.status in TEMPORARY_STATUS and self.status != CODES_DECIDE else self.codes

    def answer(self) -> dict[str, t.Any]:
        """What was asked and answered, as arguments of an error that says the same in other words."""
        return {"method": self.method, "url": self.url, "status": self.status, "errors": self.errors}

    @property
    def _reason_at_option(self) -> str:
        return f"{self.option}: {self.reason}" if self.option else self.reason

    def __str__(self) -> str:
        text = f"Cannot {self.operation}: {self._reason_at_option}" if self.operation else self._reason_at_option
        facts = [f"{self.method} {self.url}"] if self.method and self.url else []
        facts += [f"answer {self.status}"] if self.status is not None else []
        if facts:
            text += f" ({', '.join(facts)})"
        if self.hint:
            text += f". {self.hint}"
        return text if text.endswith(".") else text + "."

    def facts(self) -> dict[str, t.Any]:
        """The error as plain values for a module's result."""
        return {
            "operation": self.operation,
            "reason": self._reason_at_option,
            "hint": self.hint,
            "method": self.method,
            "url": self.url,
            "status": self.status,
            "errors": [error._asdict() for error in self.errors],
        }


class InvalidInput(RegistryError):
    """A name, digest, reference or option that breaks its grammar. Nothing was sent."""


@contextlib.contextmanager
def doing(operation: str) -> t.Iterator[None]:
    """Name the operation that fails here, see :meth:`RegistryError.within`."""
    try:
        yield
    except RegistryError as error:
        error.within(operation)
        raise


@contextlib.contextmanager
def at_entry(name: str, position: int) -> t.Iterator[None]:
    """Name the entry of a list in which a mistake is."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{name}[{position}]: {error.reason}", hint=error.hint) from error


class LocalFileError(RegistryError):
    """A file beside the registry (a blob, a manifest, a key, an auth file) could not be read or written."""


class CredentialError(RegistryError):
    """A credential could not be found or read where the user said that it is."""


class ConnectionFailed(RegistryError):
    """No answer: name resolution, refused or cut connections, time-outs."""

    refused = False
    """Whether nobody listens there."""
    broke_off = False
    """Whether the connection ended before the answer did; one that was kept may have ended long before."""


class TLSFailed(RegistryError):
    """The TLS handshake failed: an untrusted certificate, a wrong name, or no TLS at the other end."""


class AuthenticationFailed(RegistryError):
    """The registry, or its token server, doesn't accept the credential (401)."""


class TokenRefused(AuthenticationFailed):
    """The token server doesn't accept the credential. It may be a path of the registry's API (Gitea: ``/v2/token``)."""


class LoginWanted(AuthenticationFailed):
    """The registry asks for a login, and none was given."""


class NoToken(RegistryError):
    """The token server gives no token, whoever asks."""


class AccessDenied(RegistryError):
    """The account may not do this (403)."""


class NotGranted(AccessDenied):
    """The token server gives no token for this (403): the account may not do it, or the credential is wrong."""


class NotFound(RegistryError):
    """A repository, tag, manifest or blob isn't there (404)."""


class RepositoryMissing(NotFound):
    """The repository isn't there, and the registry doesn't create repositories on push (404 NAME_UNKNOWN)."""


class Unsupported(RegistryError):
    """The registry doesn't offer the operation (405, or what registries answer in its place)."""


class NoTagAlone(Unsupported):
    """The registry deletes manifests, each with all of its tags, and no tag alone."""


class ForeignType(InvalidInput, Unsupported):
    """A manifest of a type that isn't copied, because registries of today don't take it."""


class RateLimited(RegistryError):
    """429, longer than it is worth waiting."""


class ReferencesMissing(RegistryError):
    """A manifest refers to blobs or manifests that the repository lacks; ``digests`` names them where it is known."""

    def __init__(self, reason: str, *, digests: t.Sequence[str] = (), **facts: t.Any) -> None:
        super().__init__(reason, **facts)
        self.digests = tuple(digests)


class UploadGone(RegistryError):
    """An upload session is unknown, finished, expired or out of step (404 BLOB_UPLOAD_*, 416)."""


class UploadStuck(RegistryError):
    """An upload session is known and takes nothing any more: another one may."""


class BodyTooLarge(RegistryError):
    """The body of a request is larger than the registry, or something in front of it, takes (413)."""


class ChunksRefused(RegistryError):
    """The registry doesn't take a blob in chunks, or doesn't say truly which ones it has (``by_range``)."""

    def __init__(self, reason: str, *, by_range: bool = False, **facts: t.Any) -> None:
        super().__init__(reason, **facts)
        self.by_range = by_range


class ContentMismatch(RegistryError):
    """Bytes that don't have the digest or the size that was promised."""


class Unverified(RegistryError):
    """A signature that doesn't verify, and why."""


class NoSignature(Unverified):
    """Something that is signed, and isn't meant as a signature of the image, such as an SBOM."""


class ProtocolViolation(RegistryError):
    """An answer that the distribution specification doesn't allow, or that isn't safe to follow."""


class RedirectFailed(RegistryError):
    """Another host, to which the registry redirects, answers with an error. That says nothing about the registry."""


class UnexpectedAnswer(RegistryError):
    """A status that nothing above explains."""


class Conflict(RegistryError):
    """Something stands in the way: a tag on another digest, an expectation that no longer holds."""


class Detached(RegistryError):
    """Nobody waits for the task any more: Ansible has cancelled it, or isn't there."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason, hint="No tag is moved any more. What was sent stays, and the next run continues from there"
        )


BAD_CONTENT = (ContentMismatch, InvalidInput, NotFound, ProtocolViolation, Unsupported, Unverified)
"""What is wrong with a thing itself that was read, such as a referrer, and not with reading it: it is passed over, or
told. Everything else is a failure of the registry, and says nothing about the thing."""
