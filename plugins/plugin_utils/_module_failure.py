# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why a module could not run, in its message. ansible-core keeps the reason beside it, where roles don't look."""

from __future__ import annotations

import json
import typing as t

from ..module_utils._model._shown import without_secrets

Plain = dict[str, t.Any]

_LONGEST = 600
"""Characters of each output in a message. The first and the last ones tell the most."""
_CUT = " [...] "
_OUTPUTS = {"module_stdout": "Standard output", "module_stderr": "Standard error"}
_NOT_STARTED = (126, 127)
"""The exit statuses of a shell that can't execute a program, or doesn't find it."""
_SECRET_OPTIONS = ("password", "token")


def explained(result: Plain, arguments: Plain) -> Plain:
    """The result of a module; where it could not run, with all that explains it in ``msg``, in bounded length.

    That is its exit status, what it printed, and the last line of an exception. The passwords and tokens among its
    arguments are hidden in all of it: a payload that is printed in place of being run holds them all.
    """
    unparsed = any(name in result for name in _OUTPUTS)
    exception = _last_line(result.get("exception")) if result.get("failed") else ""
    if not unparsed and not exception:
        return result
    secrets = _secrets(arguments)
    texts = (*_OUTPUTS, "msg", "exception")
    shown = {name: without_secrets(result[name], secrets) for name in texts if isinstance(result.get(name), str)}
    exception = without_secrets(exception, secrets)
    parts = [shown.get("msg") or "The module failed without a message."]
    if unparsed and result.get("rc") is not None:
        # After a message of ansible-core, which has no full stop.
        parts[0] = parts[0] if parts[0].endswith((".", "!", "?")) else f"{parts[0]}."
        parts.append(_ended(result["rc"]))
    parts += [f"{label}: {_shortened(shown[name])}" for name, label in _OUTPUTS.items() if shown.get(name, "").strip()]
    if exception and not any(exception in part for part in parts):
        parts.append(f"Exception: {_shortened(exception)}")
    return {**result, **shown, "msg": " ".join(parts)}


def _ended(status: t.Any) -> str:
    advice = " Is ansible_python_interpreter right for this host?" if status in _NOT_STARTED else ""
    return f"It ended with exit status {status}.{advice}"


def _last_line(exception: t.Any) -> str:
    """Of a traceback, which is a text, or in ansible-core's own summary of an exception where it keeps tracebacks."""
    text = exception if isinstance(exception, str) else _traceback_in(exception)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # There is a note in brackets in place of a traceback that isn't kept.
    return lines[-1] if lines and not lines[-1].startswith("(") else ""


def _traceback_in(summary: t.Any) -> str:
    return getattr(getattr(summary, "event", None), "formatted_traceback", None) or ""


def _secrets(arguments: Plain) -> set[str]:
    """In the forms in which a payload and a traceback have them."""
    source = arguments.get("source")
    ends = [arguments, source if isinstance(source, dict) else {}]
    plain = {str(end[name]) for end in ends for name in _SECRET_OPTIONS if end.get(name)}
    in_json = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for secret in plain for ascii_only in (True, False)}
    forms = plain | in_json
    return forms | {repr(form)[1:-1] for form in forms}


def _shortened(text: str) -> str:
    """On one line, without its middle where it is long."""
    line = " ".join(text.split())
    if len(line) <= _LONGEST:
        return line
    half = (_LONGEST - len(_CUT)) // 2
    return line[:half] + _CUT + line[-half:]
