# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret in what is printed, returned, left in files or seen by ps; in success and in failure."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
from leaks import Processes, Secrets
from runs import (
    COLLECTION,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    TWO_ENDS,
    Plain,
    check,
    connection,
    main,
    module_options,
    play,
    playbook,
    private_file,
    say,
    seed,
    state_at,
    task,
    write_task,
)

from fleet import start, stop
from specification import Specification

PREFIX = "masking"
SOURCE, DESTINATION = "dev-token", "prod-htpasswd"
OWN = state_at(OUTPUT / "masking-registries")
# A short path: ansible-core opens sockets in its temporary directory.
TEMPORARY = Path(tempfile.mkdtemp(prefix="masking-"))
HOME, WORK = TEMPORARY / "home", TEMPORARY / "work"
# Characters that are quoted in URLs, JSON, YAML, shells and regular expressions, and some outside of ASCII.
ODD = "/+=&?%41 é\"'\\}$(.*#"


def issued_token(entry: Plain, scope: str) -> str:
    """A bearer token as the token server gives it to the main account."""
    answer = requests.get(
        entry["realm"],
        params={"service": entry["service"], "scope": scope},
        auth=(entry["username"].encode(), entry["password"].encode()),
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["token"])


def auth_file(name: str, address: str, username: str, password: str) -> Path:
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    return private_file(name, json.dumps({"auths": {address: {"auth": encoded}}}))


def end(options: Plain, **login: object) -> Plain:
    """A connection with another login."""
    kept = {key: value for key, value in options.items() if key not in ("username", "password", "token", "auth_file")}
    return {**kept, **login}


class Scene:
    """Registries with an image in them, and every login that a user may have for them, right and wrong."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        for name in (SOURCE, DESTINATION):
            for account in ("", "pull_"):
                entry = REGISTRIES[name]
                self.secrets.accounts[f"{name} {account}password"] = (
                    entry[f"{account}username"],
                    entry[f"{account}password"],
                )
        odd = f"odd{ODD}{secrets.token_hex(8)}"
        # A token that lasts as long as all of this, on a slow machine, too.
        start(OWN, [Specification("odd", login="token", password=odd, token_seconds=7200)])
        self.image = seed(SOURCE, "multi", PREFIX)[0]
        seed(DESTINATION, "multi", PREFIX)
        seed("odd", "multi", PREFIX, state=OWN)
        entry = OWN.registry("odd")
        self.secrets.accounts["the odd password"] = ("main", odd)
        wrong = f"wrong{ODD}{secrets.token_hex(8)}"
        self.secrets.accounts["the wrong password"] = ("main", wrong)
        for account in ("main", "nobody"):
            self.secrets.accounts[f"the wrong password of {account}"] = (account, wrong)
        repository = self.image["repository"]
        token = issued_token(entry, f"repository:{repository}:pull,push")
        self.secrets.tokens["the token option"] = token
        self.secrets.tokens["the wrong token"] = wrong_token = f"wrong-token-{secrets.token_hex(16)}"
        self.secrets.tokens["the broken token"] = broken = f"broken-token-{secrets.token_hex(16)}\nX-Other: 1"
        misplaced = f"misplaced-{secrets.token_hex(8)}"
        self.secrets.tokens["the misplaced secret"] = misplaced
        for what, text in (
            ("login", f"main:{misplaced}@{entry['address']}"),
            ("URL", f"https://main:{misplaced}@{entry['address']}"),
            ("PEM", f"-----BEGIN PRIVATE KEY-----\n{misplaced}\n-----END PRIVATE KEY-----\n"),
            ("JSON", json.dumps({"auths": {entry["address"]: {"auth": misplaced}}})),
        ):
            self.secrets.tokens[f"the misplaced {what}"] = text

        self.source, self.destination = connection(SOURCE), connection(DESTINATION)
        self.odd = {"registry": entry["address"], "plain_http": True, "username": "main", "password": odd}
        file = auth_file("masking-auth.json", self.odd["registry"], "main", odd)
        entries = {self.odd["registry"]: {"identitytoken": entry["identity_token"]}}
        identity = private_file("masking-identity.json", json.dumps({"auths": entries}))
        self.secrets.tokens["the identity token"] = entry["identity_token"]
        bad_file = auth_file("masking-bad-auth.json", self.odd["registry"], "main", wrong)
        self.right = {
            "password": self.source,
            "token": end(self.odd, token=token),
            "odd password": self.odd,
            "auth_file": end(self.odd, auth_file=str(file)),
            "credential helper": self._helped("password", "main", odd),
            "credential helper, identity token": self._helped("identity", "<token>", entry["identity_token"]),
            "identity token": end(self.odd, auth_file=str(identity)),
        }
        self.wrong = {
            "wrong password": end(self.source, username="main", password=wrong),
            "wrong password, Basic": end(self.destination, username="nobody", password=wrong),
            "wrong password, POST": end(self.odd, username="main", password=wrong),
            "wrong token": end(self.source, token=wrong_token),
            "broken token": end(self.source, token=broken),
            "wrong credential helper": self._helped("wrong", "main", wrong),
            "wrong auth_file": end(self.odd, auth_file=str(bad_file)),
            "both": {**self.source, "token": token},
            "no username": end(self.source, password=wrong),
            "login in registry": {**self.odd, "registry": self.secrets.tokens["the misplaced login"]},
            "URL as registry": {**self.odd, "registry": self.secrets.tokens["the misplaced URL"]},
            "URL as registry, bad option": {
                **self.odd,
                "registry": self.secrets.tokens["the misplaced URL"],
                "retries": "many",
            },
            "PEM as ca_path": {**self.source, "ca_path": self.secrets.tokens["the misplaced PEM"]},
            "PEM as client_cert": {**self.source, "client_cert": self.secrets.tokens["the misplaced PEM"]},
            "JSON as auth_file": end(self.odd, auth_file=self.secrets.tokens["the misplaced JSON"]),
            "bad option": {**self.source, "jobs": "many"},
            "unknown option": {**self.source, "passwort": "x"},
        }

    def _helped(self, name: str, username: str, secret: str) -> Plain:
        """A login by a credential helper: a program that prints a file that only we can read."""
        kept = private_file(f"helpers/{name}.json", json.dumps({"Username": username, "Secret": secret}))
        private_file(f"helpers/docker-credential-{name}", f"#!/bin/sh\nexec cat '{kept}'\n").chmod(0o700)
        helpers = {"credHelpers": {self.odd["registry"]: name}}
        return end(self.odd, auth_file=str(private_file(f"masking-{name}.json", json.dumps(helpers))))

    def close(self) -> None:
        """End what was started."""
        stop(OWN, delete=True)

    def module_tasks(self, *, every_login: bool) -> list[Plain]:
        """Every module with a right and a wrong login at either end; ``every_login``: two modules with all of them.

        What they return is written to a file in the end.
        """
        tasks: list[Plain] = []

        def add(name: str, module: str, options: Plain) -> None:
            tasks.append(task(module, options, name=name, register=f"result_{len(tasks)}", ignore_errors=True))

        for module, options in module_options(self.image).items():
            source = {"source": self.source} if module in TWO_ENDS else {}
            add(f"{module}: works", module, {**self.destination, **source, **options})
            wrong = self.wrong["wrong password"]
            elsewhere = {"dest": str(OUTPUT / "not-downloaded")} if "dest" in options else {}
            add(f"{module}: wrong password", module, {**wrong, **source, **options, **elsewhere})
            if source:
                if "repository" in options:  # else it finds that there is nothing to fetch
                    options = {**options, "repository": f"{PREFIX}/new", "source_repository": self.image["repository"]}
                add(f"{module}: wrong password at the source", module, {**self.destination, **options, "source": wrong})
        image = {"repository": self.image["repository"], "tag": self.image["tag"]}
        for name, login in self.right.items() if every_login else ():
            add(f"manifest_info: {name}", "manifest_info", {**login, **image})
            compare = {**self.destination, "source": login, "images": [image]}
            add(f"image_diff_info: {name} at the source", "image_diff_info", compare)
        for name, login in self.wrong.items() if every_login else ():
            add(f"wrong, manifest_info: {name}", "manifest_info", {**login, **image})
            compare = {**self.destination, "source": login, "images": [image]}
            add(f"wrong, image_diff_info: {name} at the source", "image_diff_info", compare)
        nowhere = {**image, "repository": f"{PREFIX}/nowhere"}
        add("manifest_info: no such repository", "manifest_info", {**self.odd, **nowhere})
        move = {**nowhere, "digest": self.image["digest"]}
        add("wrong, tag: no such repository", "tag", {**self.odd, **move})
        every = "[" + ", ".join(f"result_{number}" for number in range(len(tasks))) + "]"
        return [*tasks, write_task(every, WORK / "registered.json")]

    def promotion(self, source: Plain, destination: Plain, **more: object) -> Plain:
        """The variables of the role, to promote the image to a new repository."""
        new = f"{PREFIX}/{secrets.token_hex(4)}"
        image = {"repository": self.image["repository"], "tag": self.image["tag"], "destination_repository": new}
        return {"promote_source": source, "promote_destination": destination, "promote_images": [image], **more}


def watched(scene: Scene, name: str, what: str | Path, variables: Plain, expected: int, environment: Plain) -> Plain:
    """Run a playbook with -vvvv, and search everything that it leaves."""
    for directory in (HOME, WORK):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
    began = time.time()
    env = {
        "HOME": str(HOME),
        "ANSIBLE_HOME": str(HOME / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(WORK / "local"),
        "ANSIBLE_REMOTE_TEMP": str(WORK / "remote"),
        "TMPDIR": str(WORK),
        "ANSIBLE_LOG_PATH": str(WORK / "ansible.log"),
        "PATH": f"{OUTPUT / 'helpers'}:{os.environ['PATH']}",
        **environment,
    }
    with Processes() as processes:
        done = playbook(what, variables, "-vvvv", "--diff", environment=env, expected=expected, noise=True, afresh=True)
    scene.secrets.search(f"{name}, output", done.output.encode())
    scene.secrets.search(f"{name}, results", json.dumps(done.results, ensure_ascii=False).encode())
    for line in processes.seen:
        scene.secrets.search(f"{name}, ps", line)
    modules = sum(b"AnsiballZ" in line or b"ansible-playbook" in line for line in processes.seen)
    check(modules > 0, f"{name}: no process of Ansible was seen")
    files = [path for place in (HOME, WORK) for path in place.rglob("*") if path.is_file()]
    files += [path for path in COLLECTION.rglob("*") if path.is_file() and path.stat().st_mtime > began]
    kept = (OUTPUT, COLLECTION / "tests")
    mine = [path for path in files if path.is_relative_to(HOME) or path.is_relative_to(WORK)]
    mine += [path for path in files if not any(path.is_relative_to(place) for place in kept)]
    for path in dict.fromkeys(mine):
        scene.secrets.search(f"{name}, file {path}", path.read_bytes())
    left = [str(path) for path in mine if "ansible-tmp-" in str(path) or "AnsiballZ" in path.name]
    check(not left, f"{name}: files were left: {left}")
    say(
        f"{name}: nothing in {len(done.output)} characters of output, {len(done.results)} results, "
        f"{len(processes.seen)} command lines and {len(mine)} files"
    )
    return {"output": done.output, "results": done.results}


def check_outcomes(results: list[Plain]) -> None:
    """The searches would prove nothing if the tasks did something else than they are named after."""
    other = [
        f"{entry['task']}: {entry['status']}: {entry['result'].get('msg')}"
        for entry in results
        if entry["status"] != ("failed" if "wrong" in entry["task"] else "ok")
    ]
    check(not other, "; ".join(other))


def nothing_shown() -> None:
    """Modules and role, in place and as payloads: those of modules without pipelining, where ansible-core writes
    options into files for a while."""
    scene = Scene()
    try:
        # With ANSIBLE_DEBUG, ansible-core itself prints the options of every module, secrets included.
        environment = {"ANSIBLE_DEBUG": "false", "ANSIBLE_PIPELINING": "false"}
        # A playbook must not hold secrets, as ansible-core shows lines of it: they come from variables.
        # Logins end in the same place whichever way a module runs: all of them are tried the quicker way.
        for what, in_place in (("modules", False), ("modules in place", True)):
            tasks, variables = hidden(scene.module_tasks(every_login=in_place), scene.secrets)
            where = {**variables, "imageops_registry_in_place": in_place}
            done = watched(scene, what, play(tasks), where, 0, environment)
            check_outcomes(done["results"])
        wrong = end(scene.odd, username="main", password=scene.secrets.accounts["the wrong password"][1])
        bad = {**scene.destination, "validate_certs": "?"}
        for what, expected, pipelining, promotion in (
            ("role", 0, "false", scene.promotion(scene.source, scene.destination)),
            ("role with odd passwords, in place", 0, "", scene.promotion(scene.odd, scene.odd)),
            ("role, wrong password", 2, "true", scene.promotion(scene.odd, wrong)),
            ("role, bad argument, in place", 2, "", scene.promotion(scene.source, bad)),
            ("role, unknown argument", 2, "true", scene.promotion({**scene.source, "pass": "x"}, scene.destination)),
            ("role, login in registry", 2, "true", scene.promotion(scene.wrong["URL as registry"], scene.destination)),
            (
                "role, bad value, in place",
                2,
                "",
                scene.promotion(scene.source, scene.destination, promote_jobs="many"),
            ),
        ):
            environment["ANSIBLE_PIPELINING"] = pipelining or "false"
            where = {**promotion, "imageops_registry_in_place": not pipelining}
            watched(scene, what, PROMOTE, where, expected, environment)
    finally:
        scene.close()
        shutil.rmtree(TEMPORARY)


def hidden(tasks: list[Plain], known: Secrets) -> tuple[list[Plain], Plain]:
    """The tasks with a variable in the place of every secret, and these variables."""
    values = [password for _user, password in known.accounts.values()] + list(known.tokens.values())
    names = {value: f"secret_{number}" for number, value in enumerate(dict.fromkeys(values))}

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [replaced(inner) for inner in value]
        if isinstance(value, str) and value in names:
            return "{{ " + names[value] + " }}"
        return value

    found = [replaced(entry) for entry in tasks]
    return found, {name: value for value, name in names.items()}


main([nothing_shown])
