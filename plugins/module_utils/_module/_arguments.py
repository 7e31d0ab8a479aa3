# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The border to Ansible: argument specs that pair with the doc fragments, from parameters to clients, from errors to
``fail_json``."""

from __future__ import annotations

import math
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._blobs._deletion import outcome_as_plain
from .._blobs._placement import BlobGroup, BlobOutcome
from .._credentials._credentials import credentials_from_options, refuse_empty
from .._end._upload_form import SMALLEST_CHUNK
from .._http._endpoint import Endpoint
from .._http._limits import Limits
from .._http._notices import Notices
from .._http._requests import REQUESTS_IMPORT_ERROR
from .._http._transport import Transport
from .._images._inspection import ImageName
from .._model._base64 import decode_base64
from .._model._digest import check_digest
from .._model._errors import CredentialError, InvalidInput, LocalFileError, RegistryError, RepositoryMissing, at_entry
from .._model._manifest import MAXIMUM_BLOB_SIZE, MAXIMUM_SIZE
from .._model._reference import Place, check_registry, check_repository, check_tag
from .._model._shown import shown_options
from .._registry._registry import Registry
from .._run._attachment import Attachment, take_directory
from .._run._counters import Counters
from .._run._local_path import absolute, check_is_file, relative_hint
from .._run._progress import Progress
from ._shapes import broken_rule, misshapen

try:
    from ansible.module_utils.secrets import register_secret
except ImportError:  # ansible-core before 2.22
    register_secret = None

Plain = dict[str, t.Any]
Outcome = t.TypeVar("Outcome")

_SHORTEST_MASKED = 16
"""Characters. A shorter secret might occur in a digest or tag, and before ansible-core 2.22 be cut out of it."""
_SHORTEST_NUMBER = 10
"""Digits. A shorter number might occur in a count of bytes."""
_MAXIMUM_NESTING = 100
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
_MOST_NAMED = 20
"""Things that one warning names."""
_SLOWEST = 0.001
"""Requests in a second."""
_WORDS = (
    "absent api create delete digest exists failed false media_type missing mount mount_or_upload none promote push "
    "refused repository replace skip tag tag_schema true unchanged upload "
    "application/vnd.docker.distribution.manifest.list.v2+json application/vnd.docker.distribution.manifest.v2+json "
    "application/vnd.oci.image.index.v1+json application/vnd.oci.image.manifest.v1+json"
)
"""What results are written in."""

_ONE_END: Plain = {
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
_PATHS = frozenset(
    name for option, spec in _ONE_END.items() if spec["type"] == "path" for name in (option, *spec.get("aliases", ()))
) | {"path", "src", "dest"}
_TLS_FILES = ("ca_path", "client_cert", "client_key")
_WHOLE_TASK: Plain = {
    "timeout": {"type": "int", "default": 60},
    "retries": {"type": "int", "default": 3},
    "retry_max_wait": {"type": "float", "default": 120},
    "jobs": {"type": "int", "default": 4},
    "requests_per_second": {"type": "float", "default": 0},
    "chunk_size": {"type": "int", "default": 0},
}
PROGRESS: Plain = {"progress": {"type": "bool", "default": True}}
"""Of the modules that send blobs. It is shown by their action plugins."""
_RULES: Plain = {
    "required_together": [("username", "password")],
    "mutually_exclusive": [("username", "token")],
    "required_by": {"client_key": ("client_cert",)},
}
_KINDS_OF_RULES = ("required_together", "mutually_exclusive", "required_by", "required_if")

BLOB_GROUPS: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "source_repository": {"type": "str"},
        "mount_from": {"type": "list", "elements": "str", "default": []},
        "blobs": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "digest": {"type": "str", "required": True},
                "size": {"type": "int"},
                "replace": {"type": "bool", "default": False},
            },
        },
    },
}
MANIFESTS: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "source_repository": {"type": "str"},
        "digest": {"type": "str", "required": True},
        "media_type": {"type": "str"},
        "content_base64": {"type": "str"},
        "replace": {"type": "bool", "default": False},
    },
}
TAGS: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "tag": {"type": "raw", "required": True},
        "digest": {"type": "str"},
        "previous_digest": {"type": "str"},
        "content_base64": {"type": "str"},
        "summary": {"type": "dict"},
    },
}
IMAGES: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "tag": {"type": "raw"},
        "digest": {"type": "str"},
    },
}


def connection_arguments(options: Plain, *, source: str = "") -> Plain:
    """The argument spec of a module: the connection options, ``source`` (``required`` or ``optional``), its own."""
    spec = {**_ONE_END, **_WHOLE_TASK, **options}
    if source:
        spec["source"] = {"type": "dict", "required": source == "required", "options": dict(_ONE_END), **_RULES}
    return spec


def create_module(options: Plain, *, source: str = "", **rules: t.Any) -> AnsibleModule:
    """The module with its connection options and the rules among them. Every module supports check mode."""
    merged: Plain = dict(_RULES)
    for name, value in rules.items():
        if isinstance(value, list):
            value = [*merged.get(name, []), *value]
        elif isinstance(value, dict):
            value = {**merged.get(name, {}), **value}
        merged[name] = value
    module = CheckedModule(
        argument_spec=connection_arguments(options, source=source), supports_check_mode=True, **merged
    )
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
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _load_params(self) -> None:
        super()._load_params()  # type: ignore[no-untyped-call]
        rules = {name: getattr(self, name) for name in _KINDS_OF_RULES}
        self.misshapen = misshapen(self.argument_spec, self.params) or broken_rule(rules, self.params)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """Fail, for an option that is wrong first of all."""
        result.setdefault("invocation", {"module_args": shown_options(self.params, _PATHS)})
        super().fail_json(self.misshapen or msg, **result)


class SecretInResult(InvalidInput):
    """A secret occurs in what a task is about to return, and ansible-core would cut it out."""


class Task:
    """One run of a module: its parameters, the registries they name, and what it cost."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params: Plain = module.params
        self.check_mode: bool = module.check_mode
        self.diff_mode: bool = module._diff
        self.counters = Counters()
        self.progress = Progress()
        self.attachment = Attachment(
            take_directory(), self.progress, show=bool(self.params.get("progress")), say=module.fail_json
        )
        self._opened: list[Registry] = []
        self._limits: dict[str, Limits] = {}
        self._notices = Notices()
        self._found_secrets: set[str] = set()

    def registry(self, *, writing: bool = False, pushed_to: bool = False) -> Registry:
        """The registry that the task reads or changes. In check mode the account is asked to read only.

        ``pushed_to`` says that it is looked at for what has to be pushed to it, now or by another task.
        """
        return self._open(self.params, writing and not self.check_mode, pushed_to)

    def source(self) -> Registry:
        """The registry at the other end, which is only read. Raises :class:`InvalidInput` where there is none."""
        options = self.params["source"]
        if not options:
            raise InvalidInput("no source is given")
        return self._open(options, False, False)

    def warn_of_pending(self, names: t.Sequence[str]) -> None:
        """Warn of deletes that the registry has accepted, and has not carried out."""
        if names:
            others = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            self.module.warn(
                f"{self.params['registry']} has accepted to delete {', '.join(names[:_MOST_NAMED])}{others}, but still "
                "has it after 10 seconds. It may delete in the background, or keep what an index or another repository "
                "uses. Run the task again later to see whether it is gone."
            )

    def close(self) -> None:
        """Close all connections, and end the bond to Ansible."""
        for registry in self._opened:
            registry.close()
        self.attachment.close()

    def _open(self, options: Plain, writing: bool, pushed_to: bool) -> Registry:
        try:
            name = check_registry(options["registry"])
        except InvalidInput as error:
            error.at_option("registry")
            raise self._at_end(error, options) from error
        try:
            credentials = credentials_from_options(
                name,
                username=options["username"],
                password=options["password"],
                token=options["token"],
                auth_file=options["auth_file"],
                search=options["search_auth_files"],
                on_secret=self._hide_text,
            )
        except CredentialError as error:
            raise self._at_end(error, options).within(f"log in to {name}") from error
        for option, (least, most) in _BOUNDS.items():
            if not least <= self.params[option] <= most:
                raise InvalidInput(f"{option} must be {least} to {most}")
        if 0 < self.params["requests_per_second"] < _SLOWEST:
            raise InvalidInput(f"requests_per_second must be 0, or at least {_SLOWEST}")
        if 0 < self.params["chunk_size"] < SMALLEST_CHUNK:
            raise InvalidInput(f"chunk_size must be 0, or at least {SMALLEST_CHUNK} bytes")
        endpoint = Endpoint(
            registry=name,
            credentials=credentials,
            plain_http=options["plain_http"],
            validate_certs=options["validate_certs"],
            ca_path=options["ca_path"] or "",
            client_cert=options["client_cert"] or "",
            client_key=options["client_key"] or "",
            trusted_realm_hosts=tuple(options["trusted_realm_hosts"] or ()),
            timeout=self.params["timeout"],
            retries=self.params["retries"],
            retry_max_wait=self.params["retry_max_wait"],
            jobs=self.params["jobs"],
            requests_per_second=self.params["requests_per_second"],
            chunk_size=self.params["chunk_size"],
        )
        try:
            refuse_empty({option: options[option] for option in _TLS_FILES}, LocalFileError)
            limits = self._limits.setdefault(name, Limits(endpoint.requests_per_second, endpoint.retry_max_wait))
            transport = Transport(
                endpoint, self.counters, limits=limits, notices=self._notices, on_secret=self._hide_text
            )
        except LocalFileError as error:
            raise self._at_end(error, options).within(f"reach {name}") from error
        registry = Registry(transport, writing=writing, pushed_to=pushed_to, before_tag=self.attachment.check)
        self._opened.append(registry)
        return registry

    def _at_end(self, error: RegistryError, options: Plain) -> RegistryError:
        """The error with its option named as the task has it: those of the other end are suboptions of ``source``."""
        return error.at_option("source") if error.option and options is not self.params else error

    def warn_of_notices(self) -> None:
        """Warn, once for the whole task, of what its registries tell their users."""
        sentence = self._notices.sentence({*(secret for _option, secret in self._secrets()), *self._found_secrets})
        if sentence:
            self.module.warn(sentence)

    def _hide_text(self, secret: str) -> None:
        self._found_secrets.add(secret)
        if register_secret is not None:
            register_secret(secret)
        elif len(secret) >= _SHORTEST_MASKED:
            self.module.no_log_values.add(secret)

    def check_secrets(self, *values: t.Any) -> None:
        """Raise :class:`SecretInResult` where a secret occurs in what the task is about to return.

        Before ansible-core 2.22 every occurrence of a secret is cut out of a result, and the next task would work on
        what is left. Called before anything is written.
        """
        secrets = [] if register_secret is not None else list(self._secrets())
        if not secrets:
            return
        own = [value for name, value in self.params.items() if name not in _ONE_END and name not in _WHOLE_TASK]
        texts = list(_texts([self.params["registry"], _WORDS, *own, *values]))
        for option, secret in secrets:
            if any(secret in text for text in texts) or (secret.isdigit() and len(secret) < _SHORTEST_NUMBER):
                raise SecretInResult(
                    f"the value of {option} also occurs in names, digests, contents or numbers of this task's result, "
                    "and ansible-core before 2.22 would cut it out of them",
                    hint=f"Use a longer {option.rpartition('.')[2]}, or give the credential in an auth_file"
                    + self._in_role(option),
                )

    def _in_role(self, option: str) -> str:
        if "source" not in self.params:
            return ""
        return f" (to the role promote, it belongs to promote_{'source' if '.' in option else 'destination'})"

    def _secrets(self) -> t.Iterator[tuple[str, str]]:
        ends = {"": self.params, "source.": self.params.get("source") or {}}
        for prefix, options in ends.items():
            for name in ("password", "token"):
                if options.get(name):
                    yield prefix + name, options[name]


def _texts(value: t.Any) -> t.Iterator[str]:
    """All texts and numbers in plain values; keys are never masked. Connection options of a source are left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _ONE_END or name == "registry":
                yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


def run(module: AnsibleModule, work: t.Callable[[Task], Plain]) -> t.NoReturn:
    """Do the work of a module and end it: with its result, with what failed of it, or with one sentence.

    A result with ``failures`` fails the task with the rest of the result beside them, so that nothing is lost.
    """
    if REQUESTS_IMPORT_ERROR:
        module.fail_json(
            msg=f"Failed to import the required Python library (requests) in {sys.executable}, which runs this module: "
            f"{REQUESTS_IMPORT_ERROR.strip().splitlines()[-1]}. Install it there, or name a Python that has it in "
            "ansible_python_interpreter: an explicit localhost in an inventory may run another Python than Ansible "
            "itself.",
            exception=REQUESTS_IMPORT_ERROR,
        )
    task = Task(module)
    result: Plain = {}
    problem: Plain = {}
    try:
        task.attachment.open()
        task.check_secrets()
        result = deliverable(work(task))
    except RegistryError as error:
        missing = isinstance(error, RepositoryMissing)
        problem = {"msg": str(error), "error": error.facts(), "repository_missing": missing}
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
    failures = result.get("failures") or []
    if failures:
        others = ""
        if len(failures) > 1:
            # What concerns a registry as a whole is the same for all that was asked of it.
            alike = all(entry["msg"] == failures[0]["msg"] for entry in failures)
            others = f"the same for all {len(failures)}" if alike else f"and {len(failures) - 1} more"
            others = f" ({others}, see failures)"
        missing = any(entry.get("repository_missing") is True for entry in failures)
        result = {"msg": failures[0]["msg"] + others, "repository_missing": missing, **result}
        module.fail_json(result.pop("msg"), **result)
    result.pop("failures", None)
    module.exit_json(**result)


def deliverable(value: t.Any, depth: int = 0) -> t.Any:
    """A result in the form in which it reaches the play: registries choose texts and keys of contents and labels.

    ansible-core takes keys that start as its own do for instructions, and refuses what UTF-8 can't carry; the task
    would end with an error that names neither. Such keys get one more underscore, such characters a question mark, and
    numbers that JSON doesn't know become None. Raises :class:`RecursionError` for what is nested deeper than a play can
    take.
    """
    if depth > _MAXIMUM_NESTING:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        cleaned = {deliverable(name): deliverable(inner, depth + 1) for name, inner in value.items()}
        return {f"_{name}" if str(name).startswith("__ansible") else name: inner for name, inner in cleaned.items()}
    if isinstance(value, (list, tuple)):
        return [deliverable(inner, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def failure(error: RegistryError, **place: t.Any) -> Plain:
    """One entry of ``failures``: what failed, in one sentence and in facts."""
    return {
        **place,
        "msg": str(error),
        "error": error.facts(),
        "repository_missing": isinstance(error, RepositoryMissing),
    }


def decoded(text: str, option: str) -> bytes:
    """The bytes of a base64 option. Raises :class:`InvalidInput`."""
    try:
        return decode_base64(text)
    except ValueError as error:
        raise InvalidInput(f"{option} is no valid base64") from error


def read_file(path: str) -> bytes:
    """The bytes of a manifest's file. Raises :class:`LocalFileError`."""
    check_is_file(path)
    try:
        with open(path, "rb") as file:
            return file.read(MAXIMUM_SIZE + 1)
    except OSError as error:
        raise LocalFileError(
            f"the file {absolute(path)} can't be read: {error.strerror}", hint=relative_hint(path)
        ) from error


def own_place(params: Plain, option: str = "repository") -> Place:
    """Where an option names a repository of the registry that the task reads or changes."""
    return Place(option, params["registry"], "registry", "destination" if params.get("source") else "")


def source_place(params: Plain) -> Place:
    """Where ``source_repository`` names one of the other end, if there is one."""
    source = params.get("source")
    if not source:
        return Place("source_repository")
    return Place("source_repository", source["registry"], "source.registry", "source")


def blob_groups(params: Plain) -> list[BlobGroup]:
    """The blobs of a task, given in groups or as one ``digest`` of one ``repository``; all names are checked.

    A blob that is given twice for the same repository, from the same place, is there once.
    """
    if params["blobs"] is None:
        entry = {name: params.get(name) for name in ("repository", "source_repository", "mount_from")}
        return [_blob_group({**entry, "blobs": [{"digest": params["digest"], "size": params.get("size")}]}, params)]
    groups = []
    for position, entry in enumerate(params["blobs"]):
        with at_entry("blobs", position):
            groups.append(_blob_group(entry, params))
    merged: dict[tuple[t.Any, ...], BlobGroup] = {}
    for group in groups:
        # Blobs that are to be replaced are sent otherwise, and so are no others.
        key = (*group[:3], group.replace)
        earlier = merged.get(key)
        merged[key] = group if earlier is None else group._replace(blobs=_each_once([*earlier.blobs, *group.blobs]))
    return list(merged.values())


def _blob_group(entry: Plain, params: Plain) -> BlobGroup:
    source, mount_from = entry["source_repository"], own_place(params, "mount_from")
    return BlobGroup(
        check_repository(entry["repository"], own_place(params)),
        check_repository(source, source_place(params)) if source else "",
        tuple(dict.fromkeys(check_repository(name, mount_from) for name in entry["mount_from"] or ())),
        _each_once([(check_digest(blob["digest"]), blob["size"]) for blob in entry["blobs"]]),
        frozenset(blob["digest"] for blob in entry["blobs"] if blob.get("replace")),
    )


def _each_once(blobs: t.Sequence[tuple[str, int | None]]) -> tuple[tuple[str, int | None], ...]:
    """The blobs, each once. Raises :class:`InvalidInput` for a size that can't be, or two of one blob."""
    sizes: dict[str, int | None] = {}
    for digest, size in blobs:
        if size is not None and not 0 <= size <= MAXIMUM_BLOB_SIZE:
            raise InvalidInput(f"the size of {digest}, {size}, is negative or too large")
        known = sizes.setdefault(digest, size)
        if None not in (known, size) and known != size:
            raise InvalidInput(f"{digest} is given twice, with the sizes {known} and {size}")
        sizes[digest] = size if known is None else known
    return tuple(sizes.items())


def image_names(params: Plain) -> list[ImageName]:
    """The manifests of a task, given as ``images`` or as one ``tag`` or ``digest`` of one ``repository``; checked.

    One that is given twice is there once.
    """
    if params["images"] is None:
        return [_image_name(params)]
    names = []
    for position, entry in enumerate(params["images"]):
        with at_entry("images", position):
            names.append(_image_name({**entry, "registry": params["registry"]}))
    return list(dict.fromkeys(names))


def _image_name(entry: Plain) -> ImageName:
    repository = check_repository(entry["repository"], own_place(entry))
    if entry["tag"] in (None, "") and not entry["digest"]:
        raise InvalidInput(
            f"{repository}: a tag or a digest is needed beside the repository",
            hint="Give one with the key tag or digest",
        )
    return ImageName(
        repository,
        check_tag(entry["tag"]) if entry["tag"] not in (None, "") else "",
        check_digest(entry["digest"]) if entry["digest"] else "",
    )


def divided(
    places: t.Sequence[Plain], outcomes: t.Sequence[Outcome | RegistryError]
) -> tuple[list[tuple[Plain, Outcome]], list[Plain]]:
    """What was done, each with its place, and the ``failures``; ``places`` say what was asked for."""
    done: list[tuple[Plain, Outcome]] = []
    failures: list[Plain] = []
    for place, outcome in zip(places, outcomes):
        if isinstance(outcome, RegistryError):
            failures.append(failure(outcome, **place))
        else:
            done.append((place, outcome))
    return done, failures


def unless_failed(failures: t.Sequence[Plain], **facts: t.Any) -> Plain:
    """What rests on all that was asked for. Where some of that has failed it can't be known, and isn't returned."""
    return {} if failures else facts


def images_found(params: Plain, names: t.Sequence[ImageName], outcomes: t.Sequence[Plain | RegistryError]) -> Plain:
    """The result of a module that looks at images: all of them, and at the top level the only one, if one was given."""
    done, failures = divided([name._asdict() for name in names], outcomes)
    images = [{"repository": place["repository"], "tag": place["tag"], **found} for place, found in done]
    single = images[0] if params["repository"] is not None and images else {}
    everything = unless_failed(failures, exists=all(image["exists"] for image in images))
    return {**single, **everything, "images": images, "failures": failures}


def group_as_plain(group: BlobGroup, blobs: list[Plain]) -> Plain:
    """A group in the shape in which it is handed from task to task."""
    return {
        "repository": group.repository,
        "source_repository": group.source_repository,
        "mount_from": list(group.mount_from),
        "blobs": blobs,
    }


def blob_as_plain(outcome: BlobOutcome) -> Plain:
    """What happened to one blob, as a result of its group."""
    plain = {**outcome_as_plain(outcome), "given_up": list(outcome.given_up)}
    del plain["repository"]
    return plain
