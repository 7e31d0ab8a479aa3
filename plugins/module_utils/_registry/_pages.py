# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Lists that come in pages: how one page leads to the next, and where a list that has no end is given up."""

from __future__ import annotations

import json
import re
import typing as t

from .._http._response import Response
from .._http._scopes import Scopes
from .._http._url import misled, origin_of
from .._model._errors import ProtocolViolation, doing
from ._asking import Asker
from ._locations import Locations

_MAXIMUM_PAGES = 10000
_FRUITLESS_PAGES = 50
"""In a row. Some registries have pages that are empty, of what they may not show."""
_MAXIMUM_NAMES = 1000000
_MAXIMUM_PAGE_SIZE = 16 * 1024 * 1024
_MAXIMUM_LIST_SIZE = 128 * 1024 * 1024
_MAXIMUM_LINK = 8 * 1024
_LINK = re.compile(r'<([^<>]*)>((?:[^,"]|"(?:[^"\\]|\\.)*")*)')
_LINK_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


class Pages:
    """The lists of one registry, which is asked by ``asker``."""

    def __init__(self, asker: Asker, locations: Locations) -> None:
        self._asker = asker
        self._locations = locations

    def names(self, what: str, path: str, scopes: Scopes, key: str) -> list[str]:
        """The names under ``key`` of all pages, as they come: of tags, or of repositories.

        Raises the error that a page is in place of a list, and :class:`ProtocolViolation` where a list is none, or
        larger than any real one.
        """
        found: list[str] = []
        distinct: set[str] = set()
        fruitless = 0
        for response in self.answers(what, path, scopes, {"Accept": "application/json"}):
            names = _names_in(response, key, what)
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

    def answers(self, what: str, path: str, scopes: Scopes, headers: t.Mapping[str, str]) -> t.Iterator[Response]:
        """The answers for all pages, whatever they have, up to the first whose status isn't 200.

        ``Link: <...>; rel="next"`` is followed as it is, on the registry itself only. Raises
        :class:`ProtocolViolation` where it leads elsewhere, or there are more pages than any real list has.
        """
        seen: set[str] = set()
        size = 0
        url = path
        # A page that leads back to an earlier one is the last: what could follow has been read.
        while url not in seen:
            if len(seen) >= _MAXIMUM_PAGES:
                raise ProtocolViolation(f"the registry's list has more than {_MAXIMUM_PAGES} pages").within(what)
            seen.add(url)
            response = self._asker.ask(what, "GET", url, scopes, headers=headers, limit=_MAXIMUM_PAGE_SIZE)
            size += len(response.body)
            if size > _MAXIMUM_LIST_SIZE:
                raise ProtocolViolation(f"the registry's list is larger than {_MAXIMUM_LIST_SIZE} bytes").within(what)
            yield response
            following = _next_link(response.header_list("Link"))
            if not following or response.status != 200:
                return
            url = self._next_page(response, following, what)

    def _next_page(self, response: Response, following: str, what: str) -> str:
        with doing(what):
            url = self._locations.followed(response, following)
            foreign = origin_of(url) != self._locations.own
        if foreign:
            raise ProtocolViolation(
                "the registry's next page is on another host",
                hint=misled(self._locations.own, origin_of(url), "client"),
            ).within(what)
        return url


def check_fruitful(fruitless: int, what: str) -> None:
    """Raise :class:`ProtocolViolation` where so many pages in a row had nothing on them."""
    if fruitless > _FRUITLESS_PAGES:
        raise ProtocolViolation(f"{fruitless} pages in a row of the registry's list are empty").within(what)


def _names_in(response: Response, key: str, what: str) -> list[str]:
    """The names on one page."""
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
    return names


def _next_link(headers: t.Iterable[str]) -> str:
    for header in headers:
        for target, parameters in _LINK.findall(header[:_MAXIMUM_LINK]):
            for name, quoted, bare in _LINK_PARAMETER.findall(parameters):
                if name.lower() == "rel" and "next" in (quoted or bare).lower().split():
                    return str(target)
    return ""
