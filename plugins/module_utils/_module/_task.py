# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One run of a module, from its argument spec to its end: the registries that it opens, and how it fails."""

from __future__ import annotations

import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._http._endpoint import Endpoint
from .._http._limits import Limits
from .._http._notices import Notices
from .._http._requests import REQUESTS_IMPORT_ERROR
from .._http._transport import Transport
from .._model._deliverable import deliverable
from .._model._errors import InvalidInput, LocalFileError, RegistryError
from .._model._shown import abridged, first_of, loggable, shown_options
from .._registry._registry import Registry
from .._run._attachment import Attachment, take_directory
from .._run._counters import Counters
from .._run._progress import Progress
from ._connection import ONE_END, WHOLE_TASK, endpoint_from_options
from ._masking import Masking, SecretInResult, options_with_paths, without_no_log
from ._results import failure, message_of
from ._shapes import broken_rule, misshapen, misspelt, with_declared_names, without_unreadable

Plain = dict[str, t.Any]

PROGRESS: Plain = {"progress": {"type": "bool", "default": True}}
"""Of the modules that send blobs. It is shown by their action plugins."""
PATHS = options_with_paths(ONE_END)
_KINDS_OF_RULES = ("required_together", "mutually_exclusive", "required_by", "required_if")
_MOST_NAMED = 20
"""Things that one warning names."""


def create_module(arguments: Plain) -> AnsibleModule:
    """The module with the options that it was given, checked. ``arguments`` are those of ``module_arguments``."""
    # AnsibleModule adds to the specification where a module sets attributes of files.
    module = CheckedModule(**{**arguments, "argument_spec": dict(arguments["argument_spec"])})
    if module.misshapen:
        module.fail_json(module.misshapen)
    return module


class CheckedModule(AnsibleModule):
    """A module that says in its own words which option is wrong, and shows no secret that stands in another option.

    ansible-core converts what it can, such as text with commas or the number 1.10 where a list is wanted, and says of
    the rest neither where it is nor what to do. These sentences begin with the option, so that the roles can name the
    variable. It has collected the secrets when it fails, so that these words come in
    place of its own. It adds the options to what fails, where a login in a name is hidden, and the content of a file in
    place of its path.
    """

    def __init__(self, **options: t.Any) -> None:
        self.misshapen = ""
        super().__init__(**options)  # type: ignore[no-untyped-call]  # ansible-core has no types

    def _load_params(self) -> None:
        super()._load_params()  # type: ignore[no-untyped-call]  # ansible-core has no types
        self.params = with_declared_names(self.params)
        rules = {name: getattr(self, name) for name in _KINDS_OF_RULES}
        self.misshapen = (
            misspelt(self.argument_spec, self.params)
            or misshapen(self.argument_spec, self.params)
            or broken_rule({**rules, "argument_spec": self.argument_spec}, self.params)
        )
        if self.misshapen:
            self.params = without_unreadable(self.argument_spec, self.params)

    def _log_invocation(self) -> None:
        """Have the system's log say what was called, without any secret that is inside of a dictionary.

        It gets the first entries of each list: nobody reads a thousand images there, and they take long to write.
        """
        given, self.params = (
            self.params,
            loggable(shown_options(without_no_log(abridged(self.params), self.argument_spec), PATHS)),
        )
        try:
            super()._log_invocation()  # type: ignore[no-untyped-call]  # ansible-core has no types
        finally:
            self.params = given

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """Fail, for an option that is wrong first of all."""
        result.setdefault("invocation", {"module_args": shown_options(self.params, PATHS)})
        super().fail_json(self.misshapen or msg, **result)


class Task:
    """One run of a module: its parameters, the registries they name, and what it cost."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params: Plain = module.params
        self.check_mode: bool = module.check_mode
        self.diff_mode: bool = module._diff
        self.verbosity: int = module._verbosity
        """How many ``v`` Ansible was called with."""
        self.counters = Counters()
        self.progress = Progress()
        self.attachment = Attachment(
            take_directory(), self.progress, show=bool(self.params.get("progress")), say=module.fail_json
        )
        self._opened: list[Registry] = []
        self._limits: dict[str, Limits] = {}
        self._notices = Notices()
        self._masking = Masking(self.params, module.no_log_values, ONE_END, WHOLE_TASK)

    def registry(self, *, writing: bool = False, pushed_to: bool = False) -> Registry:
        """The registry that the task reads or changes. In check mode the account is asked to read only.

        ``pushed_to`` says that it is looked at for what has to be pushed to it, now or by another task.
        """
        writing = writing and not self.check_mode
        if writing:
            self.attachment.require()
        return self._open(self.params, writing, pushed_to)

    def source(self) -> Registry:
        """The registry at the other end, which is only read. Raises :class:`InvalidInput` where there is none."""
        options = self.params["source"]
        if not options:
            raise InvalidInput("no source is given")
        return self._open(options, False, False)

    def warn_of_pending(self, names: t.Sequence[str]) -> None:
        """Warn of deletes that the registry has accepted, and has not carried out."""
        if names:
            self.module.warn(
                f"{self.params['registry']} accepted the deletion of {first_of(names, _MOST_NAMED)}, and not all of "
                "it is gone after 10 seconds. It may delete in the background, or keep what an index or another "
                "repository uses. Run the task again later to check."
            )

    def warn_of_unreadable(self, records: t.Sequence[str]) -> None:
        """Warn of what should be records of promotions; given by their places, with the reasons."""
        if records:
            others = f"; and {len(records) - _MOST_NAMED} more" if len(records) > _MOST_NAMED else ""
            self.module.warn(f"Records that cannot be read: {'; '.join(records[:_MOST_NAMED])}{others}.")

    def close(self) -> None:
        """Close all connections, and end the bond to Ansible."""
        for registry in self._opened:
            registry.close()
        self.attachment.close()

    def _open(self, options: Plain, writing: bool, pushed_to: bool) -> Registry:
        try:
            endpoint = endpoint_from_options(options, self.params, self._masking.secrets.own)
            transport = self._transport(endpoint)
        except RegistryError as error:
            if error.option and options is not self.params:
                # As the task has it: the options of the other end are suboptions of ``source``.
                error.at_option("source")
            raise
        registry = Registry(transport, writing=writing, pushed_to=pushed_to, before_tag=self.attachment.check)
        self._opened.append(registry)
        return registry

    def _transport(self, endpoint: Endpoint) -> Transport:
        name = endpoint.registry
        limits = self._limits.setdefault(name, Limits(endpoint.requests_per_second, endpoint.retry_max_wait))
        try:
            return Transport(
                endpoint, self.counters, limits=limits, notices=self._notices, secrets=self._masking.secrets
            )
        except LocalFileError as error:
            raise error.within(f"reach {name}") from error

    def warn_of_notices(self) -> None:
        """Warn, once for the whole task, of what its registries tell their users."""
        sentence = self._notices.sentence(self._masking.secrets.known())
        if sentence:
            self.module.warn(sentence)

    def without_secrets(self, text: str) -> str:
        """A text that others have chosen, without the secrets that are known by now."""
        return self._masking.secrets.hidden(text)

    def said_without_secrets(self, result: Plain) -> Plain:
        """A result, without secrets that a registry may have got into what is said of failures."""
        return t.cast(Plain, self._masking.without_secrets(result))

    def secrets(self) -> list[str]:
        """All secrets that are known by now."""
        return self._masking.secrets.known()

    def check_secrets(self, *values: t.Any) -> None:
        """Raise :class:`SecretInResult` where a secret occurs in what the task is about to return.

        Called before anything is written.
        """
        self._masking.check(*values)


def run(module: AnsibleModule, work: t.Callable[[Task], Plain]) -> t.NoReturn:
    """Do the work of a module and end it: with its result, with what failed of it, or with one sentence.

    A result with ``failures`` fails the task with the rest of the result beside them, so that nothing is lost.
    """
    _refuse_without_requests(module)
    task = Task(module)
    result: Plain = {}
    problem: Plain = {}
    try:
        task.attachment.open()
        task.check_secrets()
        result = task.said_without_secrets(deliverable(work(task)))
    except RegistryError as error:
        problem = task.said_without_secrets(failure(error))
        if isinstance(error, SecretInResult):
            # The sentence quotes nothing, and must not be cut itself. Ansible would add the options to it.
            module.no_log_values.clear()
            problem["invocation"] = {"module_args": {}}
    except RecursionError:
        problem = {"msg": "The input or an answer of the registry is nested too deep."}
    finally:
        task.close()
    if "invocation" not in problem:
        task.warn_of_notices()
    if problem:
        # Not where the exception is handled: Ansible would add what the libraries below say, signed URLs included.
        module.fail_json(**problem, transfer=task.counters.as_dict())
    result["transfer"] = task.counters.as_dict()
    if result.get("failures"):
        result = {**message_of(result["failures"]), **result}
        module.fail_json(result.pop("msg"), **result)
    result.pop("failures", None)
    module.exit_json(**result)


def _refuse_without_requests(module: AnsibleModule) -> None:
    if REQUESTS_IMPORT_ERROR:
        module.fail_json(
            msg=f"Failed to import the required Python library (requests) in {sys.executable}, which runs this module: "
            f"{REQUESTS_IMPORT_ERROR.strip().splitlines()[-1]}. Install it there, or name a Python that has it in "
            "ansible_python_interpreter: an explicit localhost in an inventory may run another Python than Ansible "
            "itself.",
            exception=REQUESTS_IMPORT_ERROR,
        )
