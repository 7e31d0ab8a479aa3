# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scenario guides: AWX by ansible-runner and ansible-navigator, playbooks of CI systems, execution environments.

Nothing here starts a container. Whatever ansible-runner and ansible-navigator keep is searched for passwords.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from leaks import Processes, Secrets
from runs import COLLECTION, CONFIG, REGISTRIES, Plain, call, check, connection, main, say, seed, task

sys.path.append(str(COLLECTION / "tools"))

import guide_pages

SOURCE, DESTINATION = "dev-token", "prod-htpasswd"
RUN = secrets.token_hex(4)
# A short path: ansible-core opens sockets in its temporary directory.
PLACE = Path(tempfile.mkdtemp(prefix="runner-"))
PROGRAMS = Path(CONFIG["runner_programs"])
HIDDEN = Secrets()
WRONG = f"wrong-{secrets.token_hex(8)}"
IMAGES: list[Plain] = []
CONTAINERFILE = ("--output-filename", "Containerfile")


def prepare() -> None:
    """Images at the source, two for AWX and one for CI systems; and the passwords that nothing may keep."""
    IMAGES.extend(seed(SOURCE, "single,multi,docker", f"runner-{RUN}"))
    for name in (SOURCE, DESTINATION):
        HIDDEN.accounts[f"the password of {name}"] = (REGISTRIES[name]["username"], REGISTRIES[name]["password"])
    HIDDEN.accounts["the wrong password"] = (REGISTRIES[DESTINATION]["username"], WRONG)


def reference(image: Plain) -> str:
    return f"{image['repository']}:{image['tag']}"


def promoted(image: Plain, repository: str = "") -> None:
    """The destination serves the image."""
    at = {"repository": repository or image["repository"], "tag": image["tag"]}
    found = call([task("manifest_info", {**connection(DESTINATION), **at})]).of("manifest_info")
    check(found["digest"] == image["digest"], f"{at} is {found.get('digest')}, not {image['digest']}")


def on_real_registries(text: str) -> str:
    """The text with the names of registries that run in the place of those of the examples."""
    for name, registry in {"dev.example:5000": SOURCE, "ghcr.io": SOURCE, "prod.example": DESTINATION}.items():
        text = text.replace(name, REGISTRIES[registry]["address"])
    return text


def run(program: str, *arguments: object, expected: int = 0, **environment: str) -> str:
    """Run a program of the environment that has ansible-runner, in a home of its own. Returns what it prints."""
    env = {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2]),
        "HOME": str(PLACE),
        "LANG": "C.UTF-8",
        "PATH": f"{PROGRAMS}:{os.defpath}",
        "REQUESTS_CA_BUNDLE": CONFIG["registries_ca"],
        "TERM": "dumb",
        **environment,
    }
    done = subprocess.run(
        [str(PROGRAMS / program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=PLACE,
        env=env,
        check=False,
    )
    output = done.stdout.decode("utf-8", "replace")
    HIDDEN.search(f"the output of {program}", done.stdout)
    check(done.returncode == expected, f"{program} ended with status {done.returncode}, not {expected}:\n{output}")
    return output


def searched(what: str, directory: Path, least: int) -> None:
    """No file below a directory has a password in it; there are so many files at least."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    for path in files:
        HIDDEN.search(f"{what}, {path.relative_to(directory)}", path.read_bytes())
    check(len(files) >= least, f"{what}: only {len(files)} files in {directory}")
    say(f"{what}: no password in {len(files)} files")


# AWX -----------------------------------------------------------------------------------------------------------------


def credential(side: str, registry: str, password: str = "") -> Plain:
    """The extra variables that AWX makes of a credential, and of the survey, by the files of the guide."""
    entry = REGISTRIES[registry]
    files = guide_pages.files("scenario_awx")
    given = {
        "inputs": files["registry-inputs.yml"],
        "injectors": files[f"{side}-injectors.yml"],
        "survey": files["survey.yml"],
        "values": {
            "registry": entry["address"],
            "username": entry["username"],
            "password": password or entry["password"],
        },
    }
    done = subprocess.run(
        [PROGRAMS / "python", Path(__file__).with_name("inject.py")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    check(not done.returncode, done.stderr)
    variables: Plain = json.loads(done.stdout)
    return variables


def job(password: str = "") -> Path:
    """A private data directory as AWX makes it for a job, the extra variables in ``env/variables``."""
    directory = PLACE / "job"
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("env", "inventory", "project"):
        (directory / name).mkdir(parents=True, mode=0o700)
    (directory / "project" / "promote.yml").write_text(guide_pages.files("scenario_awx")["promote.yml"])
    inventory = guide_pages.example("execution_environment", "ansible_python_interpreter")
    (directory / "inventory" / "hosts.yml").write_text(inventory)
    variables = {
        **credential("source", SOURCE),
        **credential("destination", DESTINATION, password),
        "images": "".join(f"{reference(image)} \n\n" for image in IMAGES[:2]),
    }
    (directory / "env" / "variables").write_text(json.dumps(variables))
    (directory / "env" / "variables").chmod(0o400)
    return directory


def ansible_runner(directory: Path, expected: int = 0) -> str:
    """Run the job as AWX does, and search what it keeps, and what ps shows meanwhile."""
    extra = f"--cmdline=-e @{directory / 'env' / 'variables'}"
    with Processes() as processes:
        output = run(
            "ansible-runner", "run", "-vvv", "-p", "promote.yml", "-i", "1", extra, directory, expected=expected
        )
    for line in processes.seen:
        HIDDEN.search("ps", line)
    check(any(b"promote.yml" in line for line in processes.seen), "no process of the job was seen")
    searched("ansible-runner", directory / "artifacts", 10)
    kept = directory / "artifacts" / "1"
    check((kept / "rc").read_text() == str(expected), f"the artifacts have the status {(kept / 'rc').read_text()}")
    check("imageops.registry.image_diff_info runs in place" in output, f"not in place, or not at -vvv:\n{output}")
    return output


def awx_promotes() -> None:
    output = ansible_runner(job())
    check("2 promoted" in output, output)
    for image in IMAGES[:2]:
        promoted(image)


def awx_is_refused() -> None:
    output = ansible_runner(job(WRONG), expected=2)
    check("does not accept the credential" in output, output)


def a_password_in_the_environment_is_kept() -> None:
    """What the guide warns of is so: else the searches would find nothing anywhere."""
    directory = job()
    run("ansible-runner", "run", "-p", "promote.yml", "-i", "2", directory, expected=2, PROD_PASSWORD="seen-by-all")
    command = (directory / "artifacts" / "2" / "command").read_text()
    check("seen-by-all" in command, "ansible-runner keeps no environment any more: mend execution_environment.rst")


def navigator_promotes() -> None:
    directory = job()
    kept = PLACE / "navigator"
    (kept / "runner").mkdir(parents=True)
    output = run(
        *(
            "ansible-navigator",
            "run",
            directory / "project" / "promote.yml",
            "-i",
            directory / "inventory" / "hosts.yml",
        ),
        *("--mode", "stdout", "--execution-environment", "false", "-vvv", "-e", f"@{directory / 'env' / 'variables'}"),
        *("--playbook-artifact-save-as", kept / "artifact.json", "--ansible-runner-artifact-dir", kept / "runner"),
        *("--log-file", kept / "navigator.log", "--log-level", "debug"),
    )
    check("2 unchanged" in output, output)
    artifact = json.loads((kept / "artifact.json").read_text())
    check(artifact["status"] == "successful", f"the artifact says {artifact['status']}")
    check("image_diff_info runs in place" in "".join(artifact["stdout"]), "the artifact is not one of -vvv")
    searched("ansible-navigator", kept, 3)


# CI systems ----------------------------------------------------------------------------------------------------------


def ci_promotes() -> None:
    """The playbook of each guide, with the variables of a job."""
    image = IMAGES[2]
    source, destination = REGISTRIES[SOURCE], REGISTRIES[DESTINATION]
    prod = {"PROD_USERNAME": destination["username"], "PROD_PASSWORD": destination["password"]}
    jobs = {
        "scenario_gitlab_ci": (
            f"prod/{image['repository']}",
            {
                **prod,
                "CI_COMMIT_TAG": image["tag"],
                "CI_REGISTRY": source["address"],
                "CI_REGISTRY_IMAGE": f"{source['address']}/{image['repository']}",
                "CI_REGISTRY_PASSWORD": source["password"],
                "CI_REGISTRY_USER": source["username"],
                "CI_SERVER_HOST": "gitlab.example.com",
            },
        ),
        "scenario_github_actions": (
            f"prod/{RUN}",
            {
                **prod,
                "GITHUB_ACTOR": source["username"],
                "GITHUB_REPOSITORY": image["repository"].title(),
                "GITHUB_TOKEN": source["password"],
                "RELEASE": image["tag"],
            },
        ),
        "scenario_jenkins": (
            image["repository"],
            {
                "DESTINATION_PSW": destination["password"],
                "DESTINATION_USR": destination["username"],
                "RELEASE": image["tag"],
                "SOURCE_PSW": source["password"],
                "SOURCE_USR": source["username"],
            },
        ),
    }
    for page, (repository, variables) in jobs.items():
        text = on_real_registries(guide_pages.files(page)["promote.yml"])
        text = text.replace("team/app", image["repository"]).replace("prod/app", f"prod/{RUN}")
        path = PLACE / page / "promote.yml"
        path.parent.mkdir()
        path.write_text(text)
        quiet = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
        output = run("ansible-playbook", path, **variables, **quiet)
        check("[WARNING]" not in output, output)
        promoted(image, repository)
    kept = json.loads((PLACE / "scenario_gitlab_ci" / "promote-result.json").read_text())
    check(kept["images"][0]["digest"] == image["digest"], f"the job of GitLab keeps {kept}")


# Execution environments ----------------------------------------------------------------------------------------------


def build_contexts() -> None:
    """ansible-builder takes both definitions of the guide. The one of the repository is the first of them."""
    directory = PLACE / "builder"
    directory.mkdir()
    (directory / "own-ca.crt").write_text(Path(CONFIG["registries_ca"]).read_text())
    files = guide_pages.files("execution_environment")
    plain, with_ca = files["execution-environment.yml"], files["execution-environment-with-ca.yml"]
    ours = (COLLECTION / "execution-environment.yml").read_text(encoding="utf-8")
    check(ours.endswith(plain), "execution-environment.yml is another than the one of the guide")
    check(with_ca.startswith(plain), "the definition with a CA differs in more than that")
    for name, text in (("plain", plain), ("with-ca", with_ca)):
        (directory / f"{name}.yml").write_text(text)
        context = directory / name
        run("ansible-builder", "create", "--file", directory / f"{name}.yml", "--context", context, *CONTAINERFILE)
        made = (context / "Containerfile").read_text()
        check("FROM " in made and "ansible-galaxy collection install" in made, f"no image would be built by:\n{made}")
        check(
            "imageops.registry" in (context / "_build" / "requirements.yml").read_text(), "the collection is not in it"
        )
        check(("certs.d/dev.example:5000/own-ca.crt" in made) is (name == "with-ca"), f"the CA of {name}:\n{made}")
    check((directory / "with-ca" / "_build" / "certificates" / "own-ca.crt").is_file(), "the CA is not in the context")


def dependencies() -> None:
    """ansible-builder finds what the collection needs, and nothing else."""
    output = run("ansible-builder", "introspect", "--sanitize", COLLECTION.parents[2])
    found = re.findall(r"(\w+)\s+# from collection imageops\.registry", output)
    check(sorted(found) == ["jmespath", "requests"], f"what ansible-builder finds:\n{output}")


try:
    main(
        [
            prepare,
            awx_promotes,
            awx_is_refused,
            a_password_in_the_environment_is_kept,
            navigator_promotes,
            ci_promotes,
            build_contexts,
            dependencies,
        ]
    )
finally:
    shutil.rmtree(PLACE)
