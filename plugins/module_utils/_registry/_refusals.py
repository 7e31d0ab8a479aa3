# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From an answer to the error that it is: what a status and its codes mean for the operation that was asked for.

What they mean whatever was asked, :meth:`.Response.error` says. Nothing here asks a registry anything.
"""

from __future__ import annotations

import re
import typing as t

from .._http._response import Response
from .._http._url import Origin, misled, origin_of, without_query
from .._model._digest import algorithm_of, is_digest
from .._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    BodyTooLarge,
    ConnectionFailed,
    NotFound,
    ProtocolViolation,
    RateLimited,
    RedirectFailed,
    ReferencesMissing,
    RegistryError,
    RepositoryMissing,
    TLSFailed,
    Unsupported,
    UploadGone,
    doing,
)
from .._model._manifest import DOCKER_LIST, DOCKER_MANIFEST, INDEX_TYPES, Manifest

_ABSENT_CODES = {"BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "NOT_FOUND"}
_DENIAL_CODES = {"DENIED", "UNAUTHORIZED"}
_POLICY_STATUSES = (412, 451)
_DIGEST_IN_TEXT = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")
_TYPE_REFUSED = re.compile(
    r"(?:unsupported|unknown|unrecogni[sz]ed|invalid|not supported|not allowed)\b.*\b(?:media|content)[ -]?type"
    r"|\b(?:media|content)[ -]?type\b.*\b(?:unsupported|unknown|invalid|not (?:supported|allowed|accepted))",
    re.IGNORECASE,
)
"""How registries say of a manifest that they don't take its type."""
_UNNEST = "copy the inner indexes separately, by their digests, or build one index without others in it"
_OTHER_ALGORITHM = "Push to a registry that does, or build the image with sha256"


def check_no_page(response: Response, what: str) -> None:
    """Raise :class:`ProtocolViolation`, with the operation in it, where the answer is a page in HTML."""
    try:
        response.check_no_page()
    except ProtocolViolation as error:
        error.within(what)
        raise


def check_own_answer(response: Response, what: str) -> None:
    """Raise :class:`RedirectFailed`, with the operation in it, where another host than the registry has answered."""
    if response.is_redirected:
        there = origin_of(response.url)
        raise RedirectFailed(
            f"the registry redirects this to {there.host}:{there.port}, and only its own answer may decide whether a "
            "tag is protected",
            hint="Give the registry's own address, or have whoever runs it answer for tags without a redirect",
            temporary=response.is_temporary(),
            method=response.method,
            url=without_query(response.url),
            status=response.status,
        ).within(what)


def named_errors(pieces: t.Iterator[bytes], what: str) -> t.Iterator[bytes]:
    """The pieces of a body; errors while it is read name the operation."""
    with doing(what):
        yield from pieces


def is_said_to_be_absent(error: RegistryError) -> bool:
    """Whether a registry that denies something gives away that it isn't there."""
    return bool({*_ABSENT_CODES, "NAME_UNKNOWN"} & set(error.codes))


def is_denial_in_other_words(error: RegistryError) -> bool:
    """Whether an answer that passes for "it isn't there" speaks of a right or a policy, so that it may be there.

    What is denied outright is looked into otherwise.
    """
    if error.status in (401, 403):
        return False
    return error.status in _POLICY_STATUSES or bool(_DENIAL_CODES & set(error.codes))


def as_absent(error: RegistryError) -> RegistryError:
    """The denial of something that isn't there, as :class:`NotFound`."""
    return NotFound(error.reason, **error.answer()).within(error.operation)


def as_doubt(error: RegistryError) -> RegistryError:
    """Why it isn't known what refers to an image, in place of a list."""
    facts = {name: getattr(error, name) for name in ("method", "url", "status", "errors")}
    hint = "Signatures may be there. Check the address of the registry, and whether a login stands in front of it"
    return ProtocolViolation(error.reason, hint=hint, **facts)


def without_catalog(error: RegistryError) -> RegistryError:
    """The refusal to list repositories: of the account, or because there is no such list."""
    return Unsupported(
        "the registry does not offer its catalog, or not to this account",
        hint=error.hint,
        **error.answer(),
    )


def refused_delete(response: Response) -> RegistryError:
    """The refusal to delete a blob, a manifest or a tag."""
    error = response.error()
    if response.status in (400, 409):
        error.hint = "If tags or indexes still refer to it, delete those first"
    if response.status in (405, 501) or "UNSUPPORTED" in error.deciding_codes:
        return Unsupported(
            "the registry does not allow it",
            hint="Its configuration may have deletes switched off",
            **error.answer(),
        )
    return error


def refused_push(response: Response) -> RegistryError:
    """The refusal to start an upload, or to take a manifest: what is missing there is the repository."""
    error = response.error()
    if isinstance(error, NotFound):
        return RepositoryMissing(
            error.reason,
            hint="The registry does not create repositories on push: create it first, or the project or owner that it "
            "belongs to",
            **error.answer(),
        )
    return error


def refused_manifest(response: Response, reference: str, manifest: Manifest) -> RegistryError:
    """The refusal of a manifest under a tag or digest: of its digest, of its type, or of what it refers to."""
    error = refused_push(response)
    nested = any(child.media_type in INDEX_TYPES for child in manifest.children())
    if "DIGEST_INVALID" in error.deciding_codes and is_digest(reference) and algorithm_of(reference) != "sha256":
        # The digest has been verified here.
        return Unsupported(
            f"the registry does not take manifests by their {algorithm_of(reference)} digest ({error.reason})",
            hint=_OTHER_ALGORITHM,
            **error.answer(),
        )
    if not _ABSENT_CODES & set(error.deciding_codes):
        return _type_refused(error, manifest, nested=nested)
    texts = [text for entry in error.errors for text in (entry.detail, entry.message)]
    digests = dict.fromkeys(digest for text in texts for digest in _DIGEST_IN_TEXT.findall(text))
    return ReferencesMissing(
        "the repository is missing what the manifest refers to"
        + (f": {', '.join(list(digests)[:5])}" if digests else ""),
        digests=list(digests),
        hint="Push the blobs and the child manifests first"
        + (f". It is a nested index, which not every registry takes: {_UNNEST}" if nested else ""),
        **error.answer(),
    )


def check_stored(response: Response, digest: str, is_there: t.Callable[[], bool]) -> None:
    """Check by the digest that an answer to a push has, if any, that what was pushed is stored under its own.

    A digest of another algorithm may be a second one of the same content, or the only one (Gitea: sha256), so then
    ``is_there`` looks for it. Raises :class:`ProtocolViolation` and :class:`Unsupported`.
    """
    said = response.headers.get("Docker-Content-Digest", "")
    if not is_digest(said) or said == digest:
        return
    if algorithm_of(said) == algorithm_of(digest):
        raise ProtocolViolation(f"the registry stored another digest, {said}, than {digest}")
    if not is_there():
        raise Unsupported(
            f"the registry has stored it as {said}, and not under its {algorithm_of(digest)} digest",
            hint=_OTHER_ALGORITHM,
            method=response.method,
            status=response.status,
        )


def _type_refused(error: RegistryError, manifest: Manifest, *, nested: bool) -> RegistryError:
    """The refusal of a manifest, in words that say which type the registry doesn't take; else the error itself."""
    texts = " ".join(f"{entry.message} {entry.detail}" for entry in error.errors)
    speaks_of_type = {"MANIFEST_INVALID", "UNSUPPORTED"} & set(error.deciding_codes)
    by_type = error.status == 415 or (speaks_of_type and _TYPE_REFUSED.search(texts))
    if nested and (by_type or speaks_of_type):
        reason = f"the registry refuses an index that has other indexes in it (a nested index): {error.reason}"
        hint = _UNNEST[0].upper() + _UNNEST[1:]
    elif by_type:
        reason = f"the registry does not take manifests of the type {manifest.media_type}: {error.reason}"
        hint = (
            "Push to a registry that takes this type, or build the image with OCI media types, which changes its digest"
            if manifest.media_type in (DOCKER_LIST, DOCKER_MANIFEST)
            else "Push to a registry that takes this type"
        )
    else:
        return error
    return Unsupported(reason, hint=hint, **error.answer())


def refused_upload(response: Response) -> RegistryError:
    """The refusal of a request to an upload session: the session is gone, or the body is too large."""
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


def explain_mount(error: RegistryError, from_repository: str) -> None:
    """Say of a refused mount what that means for a mount: as a rule, nothing but that an upload comes next."""
    if isinstance(error, NotFound):
        # NAME_UNKNOWN and BLOB_UNKNOWN may be said of either repository.
        error.reason = f"the blob could not be mounted ({error.reason})"
        error.hint = ""
    elif isinstance(error, (AccessDenied, AuthenticationFailed)):
        error.hint = f"A mount needs the right to read {from_repository}"
    elif isinstance(error, RateLimited):
        error.hint = ""


def explain_place(error: RegistryError, own: Origin, there: Origin) -> None:
    """Say of an upload that fails at another address than the registry's that it may be the wrong one.

    At another port of its host that is all but sure, so it isn't tried again.
    """
    same = own.host == there.host
    unreachable = isinstance(error, TLSFailed) or (
        isinstance(error, ConnectionFailed) and (error.refused or not error.temporary or (same and not error.broke_off))
    )
    unknown = same and error.status in (401, 403, 404, 405) and not error.errors
    if there == own or not (unreachable or unknown):
        return
    error.temporary = error.temporary and not same
    error.hint = misled(own, there, "upload")
    if error.status == 401:
        error.reason = f"{there.host}:{there.port} requires authentication, and no credential is sent there"
