# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options by which a registry is reached: their argument spec, and the endpoint that they make.

They pair with the doc fragment ``_connection``.
"""

from __future__ import annotations

import typing as t

from .._credentials._credentials import Credentials, credentials_from_options, refuse_empty
from .._end._upload_form import SMALLEST_CHUNK
from .._http._endpoint import Endpoint
from .._model._errors import CredentialError, InvalidInput, LocalFileError
from .._model._manifest import MAXIMUM_BLOB_SIZE
from .._model._reference import check_registry

Plain = dict[str, t.Any]

_DAY = 24 * 60 * 60
_BOUNDS = {
    "timeout": (1, _DAY),
    "jobs": (1, 1000),
    "retries": (0, 1000),
    "retry_max_wait": (0, _DAY),
    "requests_per_second": (0, 1000000),
    "chunk_size": (0, MAXIMUM_BLOB_SIZE),
}
"""What the numbers of a connection may be."""
_SLOWEST = 0.001
"""Requests in a second."""
_TLS_FILES = ("ca_path", "client_cert", "client_key")

ONE_END: Plain = {
    "registry": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "auth_file": {"type": "path", "aliases": ["authfile"]},
    "search_auth_files": {"type": "bool", "default": True},
    "plain_http": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True, "aliases": ["verify_ssl"]},
    "ca_path": {"type": "path", "aliases": ["ca_cert"]},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "trusted_realm_hosts": {"type": "list", "elements": "str", "default": []},
}
"""Of one registry: the one that the task reads or changes, or its source."""
WHOLE_TASK: Plain = {
    "timeout": {"type": "int", "default": 60},
    "retries": {"type": "int", "default": 3},
    "retry_max_wait": {"type": "float", "default": 120},
    "jobs": {"type": "int", "default": 4},
    "requests_per_second": {"type": "float", "default": 0},
    "chunk_size": {"type": "int", "default": 0},
}
"""Of the task, for all its registries."""
RULES: Plain = {
    "required_together": [("username", "password")],
    "mutually_exclusive": [("username", "token")],
    "required_by": {"client_key": ("client_cert",)},
}


def connection_arguments(options: Plain, *, source: str = "") -> Plain:
    """The argument spec of a module: the connection options, ``source`` (``required`` or ``optional``), its own."""
    spec = {**ONE_END, **WHOLE_TASK, **options}
    if source:
        spec["source"] = {"type": "dict", "required": source == "required", "options": dict(ONE_END), **RULES}
    return spec


def module_arguments(options: Plain, *, source: str = "", **rules: t.Any) -> Plain:
    """What a module declares: its options and the rules among them, with those of the connection.

    Every module supports check mode.
    """
    merged: Plain = dict(RULES)
    for name, value in rules.items():
        if isinstance(value, list):
            value = [*merged.get(name, []), *value]
        elif isinstance(value, dict):
            value = {**merged.get(name, {}), **value}
        merged[name] = value
    return {"argument_spec": connection_arguments(options, source=source), "supports_check_mode": True, **merged}


def endpoint_from_options(options: Plain, whole_task: Plain, on_secret: t.Callable[[str], None]) -> Endpoint:
    """The registry that the options of one end name. ``on_secret`` is called with each secret that is found.

    ``whole_task`` has the options of the task. Raises :class:`InvalidInput`, :class:`CredentialError` and
    :class:`LocalFileError`, with the option that is at fault.
    """
    try:
        name = check_registry(options["registry"])
    except InvalidInput as error:
        raise error.at_option("registry") from error
    credentials = _credentials(name, options, on_secret)
    _check_bounds(whole_task)
    try:
        refuse_empty({option: options[option] for option in _TLS_FILES}, LocalFileError)
    except LocalFileError as error:
        raise error.within(f"reach {name}") from error
    return Endpoint(
        registry=name,
        credentials=credentials,
        plain_http=options["plain_http"],
        validate_certs=options["validate_certs"],
        ca_path=options["ca_path"] or "",
        client_cert=options["client_cert"] or "",
        client_key=options["client_key"] or "",
        trusted_realm_hosts=tuple(options["trusted_realm_hosts"] or ()),
        timeout=whole_task["timeout"],
        retries=whole_task["retries"],
        retry_max_wait=whole_task["retry_max_wait"],
        jobs=whole_task["jobs"],
        requests_per_second=whole_task["requests_per_second"],
        chunk_size=whole_task["chunk_size"],
    )


def _credentials(name: str, options: Plain, on_secret: t.Callable[[str], None]) -> Credentials:
    try:
        return credentials_from_options(
            name,
            username=options["username"],
            password=options["password"],
            token=options["token"],
            auth_file=options["auth_file"],
            search=options["search_auth_files"],
            on_secret=on_secret,
        )
    except CredentialError as error:
        raise error.within(f"log in to {name}") from error


def _check_bounds(whole_task: Plain) -> None:
    """Raise :class:`InvalidInput` for a number that can't be."""
    for option, (least, most) in _BOUNDS.items():
        if not least <= whole_task[option] <= most:
            raise InvalidInput(f"{option} must be {least} to {most}")
    if 0 < whole_task["requests_per_second"] < _SLOWEST:
        raise InvalidInput(f"requests_per_second must be 0, or at least {_SLOWEST}")
    if 0 < whole_task["chunk_size"] < SMALLEST_CHUNK:
        raise InvalidInput(f"chunk_size must be 0, or at least {SMALLEST_CHUNK} bytes")
