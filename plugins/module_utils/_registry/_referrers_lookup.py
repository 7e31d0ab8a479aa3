# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What refers to a digest: by the API, by the tag schema where there is none, and what to believe of either."""

from __future__ import annotations

import threading
import typing as t

from .._end._referrers import Referrers, referrers_tag
from .._http._response import Response
from .._http._scopes import Scopes
from .._http._transport import Transport
from .._http._url import origin_of
from .._model._actions import API, TAG_SCHEMA
from .._model._digest import algorithm_of, compute_digest
from .._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    LoginWanted,
    NotFound,
    ProtocolViolation,
    RegistryError,
    doing,
)
from .._model._manifest import (
    INDEX_TYPES,
    OCI_INDEX,
    Descriptor,
    ReferrersList,
    bare_media_type,
    parse_referrers,
    told_type,
)
from ._names import Names
from ._pages import Pages, check_fruitful
from ._paths import referrers_path
from ._refusals import as_doubt, is_denial_in_other_words, is_said_to_be_absent

_MAXIMUM_REFERRERS = 10000
_NO_DIGEST = "sha256:" + "0" * 64


class ReferrersLookup:
    """Looks for referrers in one registry, and remembers of each repository whether it has the API.

    ``scope_of`` says with which right a repository is read. ``read`` is the answer to GET of a manifest by its tag,
    which is no page; it raises :class:`NotFound`, also for a tag that is denied and taken for absent; ``denial_of`` is
    that denial.
    """

    def __init__(
        self,
        transport: Transport,
        pages: Pages,
        names: Names,
        *,
        scope_of: t.Callable[[str], Scopes],
        read: t.Callable[[str, str], Response],
        denial_of: t.Callable[[str, str], RegistryError | None],
        pushed_to: bool,
    ) -> None:
        self._transport = transport
        self._pages = pages
        self._names = names
        self._scope_of = scope_of
        self._read = read
        self._denial_of = denial_of
        self._pushed_to = pushed_to
        self._has_api: dict[str, bool] = {}
        self._api_denied: dict[str, RegistryError] = {}
        """By repository, where that was taken for a sign that there is no API."""
        self._listing: set[str] = set()
        """Repositories of which the API has listed something."""
        self._locks: dict[str, threading.Lock] = {}

    def find(self, repository: str, digest: str) -> Referrers:
        """What refers to a digest: as :meth:`.Registry.list_referrers` says."""
        found = self._asked_first(repository, digest)
        if found.proven or found.found_by != API:
            return found
        try:
            tagged = self._tagged(repository, digest)
        except RegistryError as error:
            # The API has answered. What goes wrong with a second look, which most registries don't need, is no reason
            # to fail: a refusal of the tag, a registry that is down for a moment, or a broken list of another client.
            return found._replace(unread=error)
        return tagged if tagged.descriptors else found._replace(unread=tagged.unread)

    def has_api(self, repository: str) -> bool:
        """Whether the registry answers the question for referrers there."""
        known = self._has_api.get(repository)
        if known is not None:
            return known
        what = f"list the referrers of {self._names.manifest(repository, _NO_DIGEST)}"
        try:
            # Nothing has this digest, so where the API is, its list is empty and short.
            return isinstance(self._listed(what, repository, _NO_DIGEST), Referrers)
        except (AccessDenied, AuthenticationFailed):
            return False

    def _asked_first(self, repository: str, digest: str) -> Referrers:
        """What the API lists, or the tag where there is none."""
        if repository not in self._has_api:
            # Of many questions at once, the first finds it out for the others.
            with self._locks.setdefault(repository, threading.Lock()):
                if repository not in self._has_api:
                    return self._asked(repository, digest)
        if self._has_api[repository]:
            return self._asked(repository, digest)
        tagged = self._tagged(repository, digest)
        if tagged.found_by or repository not in self._api_denied:
            return tagged
        return tagged._replace(unread=self._api_denied[repository])

    def _asked(self, repository: str, digest: str) -> Referrers:
        what = f"list the referrers of {self._names.manifest(repository, digest)}"
        try:
            listed = self._listed(what, repository, digest)
        except (AccessDenied, AuthenticationFailed) as error:
            return self._denied(repository, digest, error)
        if isinstance(listed, Referrers):
            return listed
        tagged = self._tagged(repository, digest)
        if not tagged.found_by:
            return tagged._replace(doubt=listed, unread=tagged.unread or self._api_denied.get(repository))
        # Clients keep lists here, and would not where there is an API.
        self._has_api[repository] = False
        return tagged

    def _listed(self, what: str, repository: str, digest: str) -> Referrers | RegistryError | None:
        """What the API lists; None where there is no API, or the error that keeps it from being known."""
        found: list[Descriptor] = []
        fruitless = 0
        # Without artifactType: some registries filter by a type that isn't the manifest's.
        path = referrers_path(repository, digest)
        pages = self._pages.answers(what, path, self._scope_of(repository), {"Accept": OCI_INDEX})
        for number, response in enumerate(pages):
            listed = _list_in(response)
            if listed is None:
                error = response.error().within(what)
                if response.status in (401, 403, 429) or response.is_temporary() or number:
                    raise error
                if is_denial_in_other_words(error):
                    self._api_denied[repository] = error
                if not self._has_api.get(repository):
                    return self._without_api(repository, response, error)
                if not _is_unknown(error):
                    raise error
                continue
            self._has_api[repository] = True
            self._note_unnamed(self._names.manifest(repository, digest), listed)
            fruitless = 0 if listed.entries else fruitless + 1
            check_fruitful(fruitless, what)
            found += listed.entries
            if len(found) > _MAXIMUM_REFERRERS:
                raise ProtocolViolation(f"the registry lists more than {_MAXIMUM_REFERRERS} referrers").within(what)
        if found:
            self._listing.add(repository)
        return Referrers(_distinct(found), API, proven=repository in self._listing)

    def _without_api(self, repository: str, response: Response, error: RegistryError) -> RegistryError | None:
        """The error that keeps from knowing whether there is an API; None where there is none, or nothing is there."""
        if response.is_foreign or (response.status == 200 and response.is_page()):
            # Whoever answers is not the registry: it may have the API, and list something by it.
            return as_doubt(error).within(error.operation)
        # What is unknown says nothing about the API.
        if not _is_unknown(error):
            self._has_api[repository] = False
        return None

    def _denied(self, repository: str, digest: str, error: RegistryError) -> Referrers:
        """What is listed under the tag, where the account is denied the API and nothing else: then there is none.

        Raises ``error`` where the account is denied the tag as well, where the API has answered before, and where it
        isn't the registry that denies it.
        """
        absent = isinstance(error, AccessDenied) and is_said_to_be_absent(error)
        by_registry = bool(error.url) and origin_of(error.url) == self._transport.origin
        if not absent and (repository in self._has_api or not by_registry):
            raise error
        try:
            found = self._tagged(repository, digest)
        except RegistryError:
            if absent:
                return Referrers((), "", unread=error)
            raise error from None
        if isinstance(error, LoginWanted) and not found.found_by:
            return found._replace(doubt=error)
        if found.proven and not absent:
            self._has_api[repository] = False
        if found.found_by:
            return found
        self._api_denied[repository] = error
        return found._replace(unread=error)

    def _tagged(self, repository: str, digest: str) -> Referrers:
        """The list under the tag; not proven where that is denied, and taken for absent because it is pushed to."""
        tag = referrers_tag(digest)
        try:
            response = self._read(repository, tag)
        except NotFound as error:
            proven = error.status == 404 or not self._pushed_to
            denied = error if is_denial_in_other_words(error) else self._denial_of(repository, tag)
            return Referrers((), "", proven=proven, unread=denied)
        what = f"read {self._names.manifest(repository, tag)}"
        with doing(what):
            media_type = told_type(response.body, response.headers.get("Content-Type", ""))
            # On some registries the tag resolves to the subject itself.
            if media_type not in INDEX_TYPES or compute_digest(response.body, algorithm_of(digest)) == digest:
                return Referrers((), "")
            listed = parse_referrers(response.body)
        if len(listed.entries) > _MAXIMUM_REFERRERS:
            raise ProtocolViolation(f"the list has more than {_MAXIMUM_REFERRERS} referrers").within(what)
        self._note_unnamed(self._names.manifest(repository, digest), listed)
        return Referrers(_distinct(listed.entries), TAG_SCHEMA)

    def _note_unnamed(self, name: str, listed: ReferrersList) -> None:
        """Have the task warn of entries that name nothing, so that no artifact can be told of."""
        if listed.unnamed:
            self._transport.remark(
                f"The list of referrers of {name} has entries without a valid digest ({listed.unnamed}), which were "
                "left out"
            )


def _list_in(response: Response) -> ReferrersList | None:
    """The list of referrers that an answer is; None where it is none."""
    if response.status != 200 or bare_media_type(response.headers.get("Content-Type", "")) != OCI_INDEX:
        return None
    try:
        return parse_referrers(response.body)
    except RegistryError:
        return None


def _is_unknown(error: RegistryError) -> bool:
    """Whether the registry says that there is no such repository or manifest."""
    return bool({"NAME_UNKNOWN", "MANIFEST_UNKNOWN"} & set(error.codes))


def _distinct(descriptors: t.Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    return tuple({descriptor.digest: descriptor for descriptor in descriptors}.values())
