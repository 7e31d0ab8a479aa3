# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles in playbooks as users write them: defaults of the play, names that are misspelt, values of another kind,
and modules that can't run."""

from __future__ import annotations

import base64
import json
import shlex
from typing import Any

from listener import Listener
from runs import (
    OUTPUT,
    PROMOTE,
    TRANSFER,
    Plain,
    Run,
    check,
    connection,
    inventory,
    main,
    play,
    playbook,
    private_file,
    seed,
)

WORD = "a-word-that-nobody-may-see"
LOGIN = f"a:{WORD}@b"
PEM = f"-----BEGIN CERTIFICATE-----\n{WORD}\n-----END CERTIFICATE-----\n"
NO_REGISTRY = {"registry": "localhost:1", "plain_http": True}
IMAGES = [{"repository": "role-variables/single", "tag": "1.0"}]
TOGETHER = ("image_diff_info", "image_copy", "image_archive")


def role(name: str, variables: Plain, expected: str = "", *, defaults: Plain | None = None, **apply: Any) -> Plain:
    """A task that runs a role; one that fails must have these words in its message."""
    include: Plain = {
        "name": "Run it",
        "ansible.builtin.include_role": {"name": name, "apply": apply},
        "vars": variables,
    }
    whole: Plain = {"name": "A role", "block": [include], "module_defaults": defaults or {}}
    if expected:
        include = {"name": "It must fail", "ansible.builtin.fail": {"msg": "The role should have failed"}}
        condition = f"{json.dumps(expected)} in ansible_failed_result.msg"
        said = {
            "name": "It says why",
            "ansible.builtin.assert": {"that": condition, "fail_msg": "{{ ansible_failed_result.msg }}"},
        }
        whole["block"].append(include)
        whole["rescue"] = [said]
    return whole


def promotion(**variables: Any) -> Plain:
    ends = {"promote_source": NO_REGISTRY, "promote_destination": NO_REGISTRY}
    return {**ends, "promote_images": IMAGES, "promote_retries": 0, **variables}


def transfer(**variables: Any) -> Plain:
    return {
        "transfer_archive": str(OUTPUT / "archive.tar"),
        "transfer_images": IMAGES,
        "transfer_retries": 0,
        **variables,
    }


def defaults_of_the_play() -> None:
    """What the play has for single modules, or for all of the group, under each name that it has, is never used."""
    seed("dev", "single", "role-variables")
    login = private_file("auth.json", json.dumps({"auths": {"localhost": {}}}))
    with Listener() as listener:
        here = {"registry": listener.address, "plain_http": True, "search_auth_files": False}
        entry = {"auth": base64.b64encode(f"main:{WORD}".encode()).decode()}
        login.write_text(json.dumps({"auths": {listener.address: entry}}))
        login_here = {"username": "main", "password": WORD}
        logins: list[Plain] = [
            {**login_here, "authfile": str(login), "search_auth_files": True, "source": {**here, **login_here}},
            {"token": WORD, "auth_file": str(login)},
        ]
        refused = "the registry asks for a login (answer 401)"
        tasks = []
        for login_of_play in logins:
            single = {f"imageops.registry.{name}": login_of_play for name in TOGETHER if name != "image_archive"}
            given = promotion(promote_source=connection("dev"), promote_destination=here)
            tasks.append(role(PROMOTE, given, refused, defaults=single))
        single = {"imageops.registry.image_archive": login_here, "group/imageops.registry.registry": logins[1]}
        export = transfer(transfer_parts=["export"], transfer_source=here)
        tasks.append(role(TRANSFER, export, refused, defaults=single))
        tasks.append(role(TRANSFER, transfer(transfer_parts=["export"], transfer_source=connection("dev"))))
        into = transfer(transfer_parts=["import"], transfer_destination=here)
        tasks.append(role(TRANSFER, into, refused, defaults=single))
        # The home of this user may have a login, too: search_auth_files is what keeps it back.
        environment = {"REGISTRY_AUTH_FILE": str(login)}
        playbook(play(tasks), {}, hosts=inventory(), environment=environment, noise=True)
        check(len(listener.logins) >= len(tasks) - 1, f"only {len(listener.logins)} requests")
        check(not any(listener.logins), f"the play's login was sent: {[bool(sent) for sent in listener.logins]}")


def defaults_do_no_harm() -> None:
    """With defaults that would make every request fail, the roles do what their variables say."""
    wrong: Plain = {"token": WORD, "ca_cert": "/nowhere", "client_key": "/nowhere", "timeout": 0, "chunk_size": -1}
    defaults = {f"imageops.registry.{name}": wrong for name in TOGETHER}
    defaults["group/imageops.registry.registry"] = {"verify_ssl": False, "plain_http": True, "auth_file": "/nowhere"}
    defaults["imageops.registry.image_archive"] = {
        **wrong,
        "images": [],
        "default_repository": "A",
        "on_conflict": "skip",
    }
    source, destination = connection("dev-token"), connection("prod-htpasswd")
    (image,) = seed("dev-token", "single", "role-variables")
    images = [{"repository": image["repository"], "tag": image["tag"]}]
    archived = transfer(
        transfer_source=source,
        transfer_destination=destination,
        transfer_images=[{**images[0], "destination_repository": "role-variables/archived"}],
    )
    tasks = [
        role(
            PROMOTE,
            promotion(promote_source=source, promote_destination=destination, promote_images=images),
            defaults=defaults,
        ),
        role(TRANSFER, {**archived, "transfer_archive": str(OUTPUT / "harmless.tar")}, defaults=defaults),
    ]
    done = playbook(play(tasks), {}, hosts=inventory())
    kept = [entry["result"]["ansible_facts"] for entry in done.results if entry["task"].endswith("Keep what was done")]
    check(kept[0]["promote_result"]["changed"] is True, f"nothing was promoted: {kept}")
    check(kept[1]["transfer_result"]["imported"]["changed"] is True, f"nothing was imported: {kept}")


def names_that_are_misspelt() -> None:
    """Wherever they are set, they are named once, beside those that are meant; no value is shown."""
    hosts = private_file("misspelt-hosts", inventory().read_text().strip() + f" promote_artifact={WORD}\n")
    keep = {"name": "Keep", "ansible.builtin.command": "true", "register": "promote_verfy", "changed_when": False}
    fact = {"name": "Set", "ansible.builtin.set_fact": {"promote_repairs": WORD}}
    given = promotion(promote_platform=WORD, promote_chunk_size=0, promote_chunksize=WORD)
    tasks = [keep, fact, role(PROMOTE, given, "localhost:1 refuses the connection"), role(PROMOTE, given, "refuses")]
    bring = transfer(transfer_source=NO_REGISTRY, transfer_artefacts=WORD, transfer_parts=["export"])
    tasks.append(role(TRANSFER, bring, "localhost:1 refuses the connection"))
    file = play(tasks, vars={"promote_on_eror": WORD, "promote_team": WORD, "promote_jobs": 4, "promote_job": WORD})
    done = playbook(file, {"promote_immutable_tag": [WORD]}, hosts=hosts, noise=True)
    said = " ".join(done.output.split())
    meant = {
        "promote_artifact": "promote_artifacts",
        "promote_verfy": "promote_verify",
        "promote_repairs": "promote_repair",
        "promote_platform": "promote_platforms",
        "promote_on_eror": "promote_on_error",
        "promote_immutable_tag": "promote_immutable_tags",
        "transfer_artefacts": "transfer_artifacts",
    }
    for name, right in meant.items():
        check(said.count(f"{name}: the role") == 1, f"{name} is not named once:\n{done.output}")
        check(f"If {right} is meant" in said, f"{right} is not named:\n{done.output}")
    check(said.count("has no variable of this name") == len(meant), done.output)
    check(WORD not in done.output, "a value is shown")


def variables_that_are_missing() -> None:
    """They are named in one sentence, with what was given in their place."""

    def renamed(variables: Plain, name: str, given: str) -> Plain:
        return {given if key == name else key: value for key, value in variables.items()}

    meant = "{0} is missing. {1} is not known: perhaps {0} is meant."
    tasks = []
    for name, given in (("promote_images", "promote_image"), ("promote_destination", "promote_destinaton")):
        tasks.append(role(PROMOTE, renamed(promotion(), name, given), meant.format(name, given)))
    bring = transfer(transfer_source=NO_REGISTRY, transfer_parts=["export"])
    for name, given in (("transfer_archive", "transfer_archiv"), ("transfer_images", "transfer_image")):
        tasks.append(role(TRANSFER, renamed(bring, name, given), meant.format(name, given)))
    tasks.append(role(PROMOTE, {}, "promote_source, promote_destination and promote_images are missing."))
    check_length(playbook(play(tasks), {}, hosts=inventory(), noise=True))


def values_of_another_kind() -> None:
    """Each is one sentence that names the variable, in place of ansible-core's specification of the role."""
    dev = {**NO_REGISTRY, "registry": "dev.example"}
    given: list[tuple[Plain, str]] = [
        ({"promote_images": IMAGES[0]}, "promote_images must be a list of mappings"),
        ({"promote_images": ["team/app:1"]}, "promote_images[0] must be a mapping"),
        ({"promote_images": [{"repository": "team/app"}]}, "promote_images[0]: "),
        (
            {"promote_images": [{"name": "team/app", "tag": "1"}]},
            "promote_images[0] has the unknown key name. Perhaps repository is meant.",
        ),
        (
            {"promote_images": [*IMAGES, {**IMAGES[0], "dest_repository": "b"}]},
            "promote_images[1] has the unknown key dest_repository. Perhaps destination_repository is meant.",
        ),
        ({"promote_images": [{**IMAGES[0], "tags": "1.0,stable"}]}, "promote_images[0].tags must be a list"),
        (
            {"promote_images": [{"repository": "dev.example/team/app", "tag": "1"}], "promote_source": dev},
            "promote_images[0]",
        ),
        ({"promote_immutable_tags": {"v1": True}}, "promote_immutable_tags must be a list"),
        ({"promote_immutable_tags": "v[0-9]{1,3}"}, "promote_immutable_tags must be a list of regular expressions"),
        ({"promote_source": "dev.example"}, "promote_source is text"),
        ({"promote_destination": {**NO_REGISTRY, "user": "x"}}, "promote_destination has the key user"),
        (
            {"promote_source": {**NO_REGISTRY, "token": "{{ lookup('env', 'NOT_SET') }}"}},
            "promote_source.token: it is empty text",
        ),
        (
            {"promote_destination": {**NO_REGISTRY, "username": "", "password": ""}},
            "promote_destination.username is empty",
        ),
        (
            {"promote_destination": {**NO_REGISTRY, "registry": LOGIN}},
            "promote_destination.registry: malformed",
        ),
        ({"promote_source": {**NO_REGISTRY, "registry": LOGIN}}, "promote_source.registry: malformed"),
        ({"promote_destination": {**NO_REGISTRY, "ca_path": PEM}}, "promote_destination.ca_path: the path of a file"),
        ({"promote_source": {**NO_REGISTRY, "ca_path": PEM}}, "promote_source.ca_path: the path of a file"),
        (
            {"promote_destination": {**NO_REGISTRY, "plain_http": "maybe"}},
            "promote_destination.plain_http must be true",
        ),
        (
            {"promote_destination": {**NO_REGISTRY, "client_key": "/key"}},
            "promote_destination.client_cert is needed beside client_key",
        ),
        (
            {"promote_source": {**NO_REGISTRY, "username": "a", "password": None}},
            "promote_source.password is needed beside username",
        ),
        (
            {"promote_destination": {**NO_REGISTRY, "username": "a", "password": None}},
            "promote_destination.password is needed beside username",
        ),
        ({"promote_images": None}, "promote_images must be given"),
        (
            {"promote_on_conflict": "fial"},
            "promote_on_conflict must be replace, fail or skip, and other text",
        ),
        ({"promote_on_error": "fial"}, "promote_on_error must be fail or continue, and other text was given"),
        ({"promote_verify": "fial"}, "promote_verify must be tag, manifests or blobs, and other text was given"),
        ({"promote_flatten": "perhaps"}, "promote_flatten must be true or false, and text was given"),
        ({"promote_jobs": "many"}, "promote_jobs must be a whole number, and text was given"),
        ({"promote_jobs": 0}, "promote_jobs must be 1 to 1000"),
        ({"promote_destination": "{{ {'plain_http': true} }}"}, "promote_destination has no registry"),
    ]
    tasks = [role(PROMOTE, promotion(**variables), words) for variables, words in given]
    ends = {"transfer_source": NO_REGISTRY, "transfer_destination": {**NO_REGISTRY, "auth_file": ""}}
    export = transfer(transfer_images=IMAGES[0], transfer_source=NO_REGISTRY, transfer_parts=["export"])
    tasks.append(role(TRANSFER, export, "transfer_images must be a list"))
    # Before the export, which would fail with another message.
    tasks.append(role(TRANSFER, transfer(**ends), "transfer_destination.auth_file is empty"))
    (OUTPUT / "archive.tar").unlink(missing_ok=True)
    of_import = transfer(transfer_parts=["import"], transfer_destination=ends["transfer_destination"])
    tasks.append(role(TRANSFER, of_import, "transfer_destination.auth_file is empty"))
    for more, words in (
        ({"transfer_source": {**NO_REGISTRY, "registry": LOGIN}}, "transfer_source.registry: malformed"),
        (
            {"transfer_source": {**NO_REGISTRY, "plain_http": "maybe"}},
            "transfer_source.plain_http must be true",
        ),
        ({"transfer_images": None}, "transfer_images must be given"),
        ({"transfer_progress": "perhaps"}, "transfer_progress must be true or false"),
        ({"transfer_on_error": "fial"}, "transfer_on_error must be fail or continue"),
        ({"transfer_timeout": "long"}, "transfer_timeout must be a whole number"),
    ):
        given_too: Plain = {"transfer_source": NO_REGISTRY, "transfer_parts": ["export"], **more}
        tasks.append(role(TRANSFER, transfer(**given_too), words))
    done = playbook(play(tasks), {}, hosts=inventory(), noise=True)
    check(WORD not in done.output, "a value is shown")
    told = [entry["result"] for entry in done.results if entry["status"] == "failed"]
    check(not any("argument_spec_data" in result for result in told), done.output)
    messages = [str(result["msg"]) for result in told]
    check(all(len(message) < 400 for message in messages), f"long messages: {messages}")


def ends_that_are_expensive() -> None:
    """A source and a destination that are lookups are looked up once for a task, not for each option."""
    seed("dev", "single", "role-variables")
    given: Plain = {}
    for name, end in (("source", "dev"), ("destination", "prod")):
        connected = private_file(f"{name}.json", json.dumps(connection(end)))
        look = f"echo {name} >> {shlex.quote(str(OUTPUT / 'looked-up'))}; cat {shlex.quote(str(connected))}"
        given[f"promote_{name}"] = f"{{{{ lookup('ansible.builtin.pipe', {look!r}) | from_json }}}}"
    looked_up = OUTPUT / "looked-up"
    for tasks_with_ends in (3, 2):
        looked_up.unlink(missing_ok=True)
        images = [{**IMAGES[0], "destination_repository": "role-variables/looked-up"}]
        playbook(play([role(PROMOTE, promotion(**given, promote_images=images))]), {}, hosts=inventory())
        # By ansible-core's own check of the variables, by the comparison, and by the copy where something differs.
        seen = sorted(looked_up.read_text().split())
        check(seen == ["destination"] * tasks_with_ends + ["source"] * tasks_with_ends, f"{seen}")


def results_of_an_earlier_promotion() -> None:
    """What fails as a whole has no results of the promotion before it. Where nothing differs there are few tasks."""
    seed("dev", "single", "role-variables")
    given = promotion(promote_source=connection("dev"), promote_destination=connection("prod"))
    playbook(play([role(PROMOTE, given)]), {}, hosts=inventory())
    again = playbook(play([role(PROMOTE, given)]), {}, hosts=inventory())
    headings = [line for line in again.output.splitlines() if line.startswith(f"TASK [{PROMOTE} : ")]
    check(0 < len(headings) <= 6, again.output)
    wait = role(PROMOTE, promotion(promote_retries=5), "Timed out after 1 second", timeout=1)
    tell = {"name": "Tell", "ansible.builtin.debug": {"msg": "{{ promote_result }}"}}
    done = playbook(play([role(PROMOTE, given), wait, tell]), {}, hosts=inventory(), noise=True)
    nothing = {"changed": False, "images": [], "not_reverted": [], "replaced_tags": [], "transfer": {}}
    nothing["record"] = {"finished": [], "outcome": None, "path": None}
    check(done.of("Tell")["msg"] == nothing, done.output)


def modules_that_cannot_run() -> None:
    """Why, is in the message of the role, and no password."""
    source = {**NO_REGISTRY, "username": "main", "password": WORD}
    ends = {"promote_source": source, "promote_destination": source}
    bring = transfer(transfer_source=source, transfer_parts=["export"])
    no_program = private_file("no-program", "")
    no_program.chmod(0o600)
    broken = private_file("broken-python", "#!/bin/sh\necho 'quota exceeded'; echo 'libc is gone' >&2; exit 3\n")
    broken.chmod(0o700)
    tasks = []
    for program, words in (
        (
            str(no_program),
            "exit status 126. Is ansible_python_interpreter right for this host?",
        ),
        (str(broken), "exit status 3. Standard output: quota exceeded Standard error: libc is gone"),
        # A program that prints the payload, in which the password is.
        ("/bin/cat", "Standard output: #!/bin/cat"),
    ):
        python = {"ansible_python_interpreter": program}
        tasks.append(role(PROMOTE, {**promotion(**ends), **python}, words))
        tasks.append(role(TRANSFER, {**bring, **python}, words))
    tasks.append(role(PROMOTE, promotion(promote_retries=5), "Timed out after 1 second", timeout=1))
    done = playbook(play(tasks), {}, "-v", hosts=inventory(), noise=True)
    shown = done.output + json.dumps(done.results)
    check(WORD not in shown, "a password is shown")
    check_length(done)


def check_length(done: Run) -> None:
    longest = max(len(str(entry["result"].get("msg", ""))) for entry in done.results if entry["status"] == "failed")
    check(longest < 2000, f"a message has {longest} characters")


if __name__ == "__main__":
    main(
        [
            defaults_of_the_play,
            defaults_do_no_harm,
            names_that_are_misspelt,
            variables_that_are_missing,
            values_of_another_kind,
            ends_that_are_expensive,
            results_of_an_earlier_promotion,
            modules_that_cannot_run,
        ]
    )
