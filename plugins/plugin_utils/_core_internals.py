# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a module in place needs of ansible-core that isn't public: every name of it stands here, and nowhere else.

A release that doesn't have one of them, or takes other arguments, runs modules as payloads, which needs none.
"""

from __future__ import annotations

import ast
import inspect
import json
import typing as t

from ansible.errors import AnsibleError

PROBLEM = ""
"""What this release doesn't have, or has otherwise; empty where it has everything."""

try:
    from ansible._internal._ansiballz import _builder
    from ansible.executor import module_common
    from ansible.executor.interpreter_discovery import InterpreterDiscoveryRequiredError
    from ansible.module_utils import _internal, basic
    from ansible.module_utils._internal._ansiballz import _loader
    from ansible.module_utils.common.json import Direction, get_module_encoder
    from ansible.plugins.action import ActionBase

    _NAMES = (
        (_builder.ExtensionManager, "create"),
        (module_common, "_BuiltModule"),
        (module_common, "_get_module_metadata"),
        (module_common, "_get_shebang"),
        (_internal, "is_controller"),
        (basic, "_ANSIBLE_ARGS"),
        (basic, "_ANSIBLE_PROFILE"),
        (_loader, "_handle_exception"),
        # These are replaced, or called.
        (ActionBase, "_compute_environment_string"),
        (ActionBase, "_configure_module"),
        (ActionBase, "_is_pipelining_enabled"),
        (ActionBase, "_low_level_execute_command"),
    )
    for _place, _name in _NAMES:
        getattr(_place, _name)
    # What a module prints is written by this one; it is imported now, not by each child.
    get_module_encoder(module_common._DEFAULT_LEGACY_METADATA.serialization_profile, Direction.MODULE_TO_CONTROLLER)
except (ImportError, AttributeError) as _error:
    PROBLEM = str(_error)

_AUTOMATIC = "auto"
_SHEBANG = "/usr/bin/python"
"""Of every module. It stands for the interpreter that is configured."""


def profile() -> str:
    """The name of the serialisation that ansible-core uses for modules which ask for none, as ours do."""
    # It is asked for what an empty module gets: that doesn't cost the parsing of a whole one.
    metadata: t.Any = module_common._get_module_metadata(ast.Module(body=[], type_ignores=[]))
    return str(metadata.serialization_profile)


def encoded(arguments: dict[str, t.Any], module: str) -> bytes:
    """The arguments of a module as a payload has them. Raises :class:`AnsibleError` where they have no JSON."""
    try:
        encoder = get_module_encoder(profile(), Direction.CONTROLLER_TO_MODULE)
        return json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
    except TypeError as error:
        raise AnsibleError(f"Failed to serialize arguments for the {module!r} module.") from error


def built(interpreter: str) -> t.Any:
    """What ansible-core takes for a module that is ready to run. There is nothing in it."""
    return module_common._BuiltModule(
        b_module_data=b"", module_style="new", shebang=f"#!{interpreter}", serialization_profile=profile()
    )


def debuggers(variables: dict[str, t.Any]) -> tuple[str, ...]:
    """What is switched on that ansible-core builds into payloads: debuggers, and the measuring of coverage."""
    names = _builder.ExtensionManager.create(task_vars=variables).extension_names
    return tuple(name.strip("_") for name in names)


def interpreter(variables: dict[str, t.Any], templar: t.Any) -> str:
    """The Python that is configured for a host with these variables; empty where Ansible would discover one."""
    undiscovered = {**variables, "ansible_facts": {}}
    try:
        _shebang, found = module_common._get_shebang(_SHEBANG, undiscovered, templar)
    except InterpreterDiscoveryRequiredError:
        return ""
    return "" if found.startswith(_AUTOMATIC) else str(found)


def run_main(main: t.Callable[[], object], arguments: bytes) -> t.NoReturn:
    """Run a module as a payload does, once in this process.

    Raises :class:`SystemExit`, as modules do to end, or :class:`MemoryError`. The process is no controller from here
    on: else warnings and deprecations would be shown, in place of returned.
    """
    _internal.is_controller = False
    basic._ANSIBLE_ARGS = arguments
    basic._ANSIBLE_PROFILE = profile()
    try:
        main()
        raise RuntimeError("New-style module did not handle its own exit.")
    except MemoryError:
        raise
    except Exception as error:
        _loader._handle_exception(error, profile())
        raise


def trial() -> str:
    """Use each of these once, as a task does. Returns what can't be used so; empty where all can.

    A release that has other fields or arguments is found out here, before the first task, not by every task.
    """
    try:
        built("")
        encoded({}, "")
        debuggers({})
        inspect.signature(module_common._get_shebang).bind(_SHEBANG, {}, None)
        inspect.signature(_loader._handle_exception).bind(None, profile())
    except Exception as error:
        # Nothing is known of what a release to come raises.
        return f"{type(error).__name__}: {error}"
    return ""


PROBLEM = PROBLEM or trial()
