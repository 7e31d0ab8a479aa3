# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What to log in with."""

from __future__ import annotations

import base64
import typing as t


class Credential(t.NamedTuple):
    """What to log in with. All secrets empty: anonymous.

    ``token`` is a bearer token that is sent as it is, ``identity_token`` one for which a token server gives bearer
    tokens (OAuth 2 calls it a refresh token).
    """

    username: str = ""
    password: str = ""
    token: str = ""
    identity_token: str = ""
    source: str = ""
    """Where it was found, to be shown; empty where the options of the task hold it."""
    advice: str = ""
    """What to do where it is refused; empty where there is nothing better to say than to check it."""

    @property
    def is_anonymous(self) -> bool:
        """Whether there is nothing to log in with."""
        return not (self.username or self.password or self.token or self.identity_token)

    @property
    def is_text(self) -> bool:
        """Whether it can be sent: JSON can hold halves of characters, which UTF-8 can't."""
        try:
            "".join((self.username, self.password, self.token, self.identity_token)).encode("utf-8")
        except UnicodeEncodeError:
            return False
        return True

    @property
    def basic(self) -> str:
        """User name and password as HTTP Basic authentication carries them (RFC 7617, 2). A secret."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown. What is sent is among it: a registry may quote it in an error."""
        pair = self.basic if self.password else ""
        return tuple(secret for secret in (self.password, pair, self.token, self.identity_token) if secret)

    @property
    def flaw(self) -> str:
        """What may be why it is refused, in a sentence that quotes nothing of it; empty where it is as usual."""
        if self.is_anonymous:
            return ""
        if self.token or self.identity_token:
            return _flaw_of("identity token", self.identity_token) if self.identity_token else ""
        for name, text in (("user name", self.username), ("password", self.password)):
            found = _flaw_of(name, text) if text else f"The {name} is empty"
            if found:
                return found
        return ""

    def hint(self, usual: str) -> str:
        """What to do where it is refused; ``usual`` where there is no better advice."""
        return ". ".join(filter(None, (self.flaw, self.advice or usual)))

    def __str__(self) -> str:
        """What it is called where it is refused."""
        if self.is_anonymous:
            return "anonymous access"
        if self.source:
            return f"the credential of {self.source}"
        return "the token" if self.token else "the user name and password"

    def __repr__(self) -> str:
        return "Credential(anonymous)" if self.is_anonymous else "Credential(hidden)"


def _flaw_of(name: str, text: str) -> str:
    if text.endswith(("\n", "\r")):
        what = "ends in a line break"
    elif text != text.strip():
        what = "begins or ends with white space"
    elif text.startswith("\ufeff"):
        what = "begins with a byte order mark"
    else:
        return ""
    return f"The {name} {what}, which is sent with it: trim it where it is read from a file"


ANONYMOUS = Credential()
