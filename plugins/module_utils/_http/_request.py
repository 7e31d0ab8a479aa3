# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One request, as all that send, repeat or redirect it hand it on."""

from __future__ import annotations

import typing as t

from .._end._body import Body
from .._end._last_look import LastLook
from ._response import MAXIMUM_ERROR_BODY
from ._scopes import NOTHING, Scopes


class Request(t.NamedTuple):
    """What is asked of a registry, a token server, or where these redirect to. ``url`` is absolute."""

    method: str
    url: str
    headers: t.Mapping[str, str] = {}
    body: bytes | Body | None = None
    limit: int = MAXIMUM_ERROR_BODY
    """The most bytes of a body that are read."""
    stream: bool = False
    """Whether the body of a 200 or 206 is left to the caller."""
    timeout: float = 0.0
    """Seconds of silence; 0 for those of the endpoint."""
    repeat: bool = True
    """Whether it is worth being sent again where the failure is temporary."""
    scopes: Scopes = NOTHING
    repository: str = ""
    """The one whose credential is used; empty for that of the registry as a whole."""
    last_look: LastLook | None = None
    """With it, everything that is waited for comes before the look, and nothing after."""

    @property
    def is_streamed(self) -> bool:
        """Whether its body is read while it is sent, and can't be sent twice."""
        return isinstance(self.body, Body)
