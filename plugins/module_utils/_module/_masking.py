# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The secrets of a task: which there are, what hides them, and whether hiding them would damage its result."""

from __future__ import annotations

import typing as t

from .._credentials._secrets import Secrets
from .._model._actions import WORDS
from .._model._digest import is_digest
from .._model._errors import InvalidInput
from .._model._manifest import MANIFEST_TYPES
from .._model._shown import HIDDEN, is_content

try:
    from ansible.module_utils.secrets import register_secret
except ImportError:  # ansible-core before 2.22
    register_secret = None

Plain = dict[str, t.Any]

_SECRETS = ("password", "token")
_SIGN_WITH, _PASSPHRASE = "sign_with", "sign_passphrase"
"""Suboptions of ``record``. The first is a secret where it is the key itself, and not its path."""
_SHORTEST_MASKED = 16
"""Characters. A shorter secret might occur in a digest or tag, and before ansible-core 2.22 be cut out of it."""
_SHORTEST_MIXED = 8
"""Characters. From ansible-core 2.22 on, secrets are masked in what is shown, for the rest of the play. A shorter one
might occur in any word or name, and so might one without three kinds of characters."""
_LEAST_KINDS = 3
_KINDS = (str.islower, str.isupper, str.isdigit, lambda sign: not sign.isalnum() and sign not in "-._:/@+")
_SHORTEST_NUMBER = 10
"""Digits. A shorter number might occur in a count of bytes."""
_WRITTEN_IN = (*sorted(WORDS), *MANIFEST_TYPES, "digest", "media_type", "repository", "tag", "true", "false", "none")
"""What results are written in."""


_SAID = ("msg", "error", "reason", "given_up", "summary", "report")
"""The keys of a result with sentences, in which a registry may be quoted."""

_PATHS_OF_MODULES = frozenset(["path", "src", "dest", _SIGN_WITH])


class SecretInResult(InvalidInput):
    """A secret occurs in what a task is about to return, and ansible-core would cut it out."""


class Masking:
    """The secrets of one task: those that its options hold, and those that are found while it runs.

    ``one_end`` and ``whole_task`` are the options of the connection: those of one end, and those of the task. No result
    holds their values, but for the registry. What ansible-core has to hide is added to ``no_log_values``.
    """

    def __init__(
        self, params: Plain, no_log_values: set[str], one_end: t.Collection[str], whole_task: t.Collection[str]
    ) -> None:
        self._params = params
        self._no_log_values = no_log_values
        self._one_end = one_end
        self._whole_task = whole_task
        self.secrets = Secrets(self._mask, lambda: self._texts(self._own_options()))
        """All secrets that are known by now; those that are found while the task runs are given to it."""
        for _option, secret in self._given():
            self.secrets.own(secret)
        key = (params.get("record") or {}).get(_SIGN_WITH)
        if key and is_content(key):
            self.secrets.own(key)

    def _mask(self, secret: str) -> None:
        """Have ansible-core hide a secret of the user wherever it occurs, unless it is likely to be something else
        there. Secrets that are options it hides by itself, whatever they are.
        """
        if not _is_unlike_results(secret):
            return
        if register_secret is not None:
            register_secret(secret)
        elif len(secret) >= _SHORTEST_MASKED and not any(secret in text for text in self._texts(self._own_options())):
            self._no_log_values.add(secret)

    def without_secrets(self, value: t.Any, *, is_said: bool = False) -> t.Any:
        """Plain values of a result. What is said of failures, ``is_said``, is without secrets, in whatever form a
        registry has got them into that; all else stays as it is.
        """
        if isinstance(value, dict):
            return {
                name: self.without_secrets(inner, is_said=is_said or name in _SAID) for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.without_secrets(inner, is_said=is_said) for inner in value]
        return self.secrets.hidden_beside_names(value) if is_said and isinstance(value, str) else value

    def check(self, *values: t.Any) -> None:
        """Raise :class:`SecretInResult` where a secret occurs in what the task is about to return.

        Before ansible-core 2.22 every occurrence of a secret is cut out of a result, and the next task would work on
        what is left. Called before anything is written.
        """
        secrets = [] if register_secret is not None else list(self._given())
        if not secrets:
            return
        texts = list(self._texts([_WRITTEN_IN, self._own_options(), *values]))
        for option, secret in secrets:
            if any(secret in text for text in texts) or (secret.isdigit() and len(secret) < _SHORTEST_NUMBER):
                raise SecretInResult(
                    f"the value of {option} also occurs in names, digests, contents or numbers of this task's result, "
                    "and ansible-core before 2.22 would cut it out of them",
                    hint=f"Use a longer {option.rpartition('.')[2]}{self._otherwise(option)}",
                )

    def _own_options(self) -> list[t.Any]:
        """The values of those options that aren't about a connection, and the registry."""
        connection = {*self._one_end, *self._whole_task}
        return [self._params["registry"], *(value for name, value in self._params.items() if name not in connection)]

    def _otherwise(self, option: str) -> str:
        if option.endswith(_PASSPHRASE):
            return ""
        role = f" (to the role promote, it belongs to promote_{'source' if '.' in option else 'destination'})"
        return ", or give the credential in an auth_file" + (role if "source" in self._params else "")

    def _given(self) -> t.Iterator[tuple[str, str]]:
        """The options that hold a secret, with it."""
        ends = {"": self._params, "source.": self._params.get("source") or {}}
        for prefix, options in ends.items():
            for name in _SECRETS:
                if options.get(name):
                    yield prefix + name, options[name]
        passphrase = (self._params.get("record") or {}).get(_PASSPHRASE)
        if passphrase:
            yield f"record.{_PASSPHRASE}", passphrase

    def _texts(self, value: t.Any) -> t.Iterator[str]:
        """All texts and numbers in plain values; keys are never masked. What isn't returned is left out: connection
        options of a source, and what records are signed with."""
        if isinstance(value, dict):
            for name, inner in value.items():
                if name not in (*self._one_end, _SIGN_WITH, _PASSPHRASE) or name == "registry":
                    yield from self._texts(inner)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                yield from self._texts(inner)
        elif value is not None:
            yield str(value)


def without_no_log(value: t.Any, options: t.Mapping[str, Plain]) -> t.Any:
    """Options of a task without the secrets among them, those in dictionaries and in lists of these included.

    ansible-core before 2.22 hides a secret in a dictionary by its text, which isn't found where it is written in
    quotes: it may have line breaks, quotes or backslashes in it.
    """
    if isinstance(value, list):
        return [without_no_log(entry, options) for entry in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for name, inner in value.items():
        option = options.get(name, {})
        is_secret = option.get("no_log") and inner is not None
        shown[name] = (
            HIDDEN if is_secret else without_no_log(inner, option["options"]) if option.get("options") else inner
        )
    return shown


def _is_unlike_results(secret: str) -> bool:
    """Whether a secret is so long, and so mixed, that it is no word, digest or media type of results and logs."""
    if is_digest(secret) or secret in _WRITTEN_IN:
        return False
    kinds = sum(any(map(kind, secret)) for kind in _KINDS)
    return len(secret) >= _SHORTEST_MASKED or (len(secret) >= _SHORTEST_MIXED and kinds >= _LEAST_KINDS)


def options_with_paths(connection: Plain) -> frozenset[str]:
    """The options that take the path of a file, whose content may be a secret: of a connection, and of modules."""
    return _PATHS_OF_MODULES.union(
        name
        for option, spec in connection.items()
        if spec["type"] == "path"
        for name in (option, *spec.get("aliases", ()))
    )
