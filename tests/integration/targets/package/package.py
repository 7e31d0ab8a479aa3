# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package that ansible-galaxy builds works in an empty environment, where it does what the README says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator

from runs import (
    COLLECTION,
    CONFIG,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    Run,
    call,
    check,
    connection,
    main,
    modules,
    playbook,
    private_file,
    state_at,
    task,
)

from images import image, layer
from seeding import Pusher

SOURCE, DESTINATION = "prod-token", "prod-htpasswd"
NAMES = {
    "dev.example:5000": REGISTRIES[SOURCE]["address"],
    "prod.example": REGISTRIES[DESTINATION]["address"],
    "username: promoter": f"username: {REGISTRIES[DESTINATION]['username']}",
    "team/": "package/",
    "prod/api": "package/prod-api",
}
"""What is replaced in the examples: registries, the account, and repositories, which only this target has."""
PROMOTED = {
    ("package/app", "1.4.2"): "app",
    ("package/prod-api", "2.1.0"): "api",
    ("package/prod-api", "stable"): "api",
}
"""The tags that the first example makes, and the image that each of them points to."""
INSTALLED = OUTPUT / "empty" / "collections"
ENVIRONMENT = {
    "ANSIBLE_COLLECTIONS_PATH": str(INSTALLED),
    "ANSIBLE_HOME": str(OUTPUT / "empty" / "ansible"),
    "ANSIBLE_VAULT_PASSWORD_FILE": str(OUTPUT / "vault-password"),
    "HOME": str(OUTPUT / "empty"),
    "REQUESTS_CA_BUNDLE": CONFIG["registries_ca"],
}
"""There is nothing in this environment but ansible-core, and the login that the examples name."""
DIGESTS: dict[str, str] = {}
"""The digests of the images at the source."""


def run(*command: str, **more: str) -> str:
    """Run a program in the empty environment. Returns what it prints."""
    environment = {**os.environ, **ENVIRONMENT, **more}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=OUTPUT,
        check=False,
    )
    check(done.returncode == 0 and "[WARNING]" not in done.stdout, f"{' '.join(command)}:\n{done.stdout}")
    return done.stdout


def examples() -> Iterator[str]:
    """The examples of the README, in YAML, with names that exist."""
    for text in re.findall(
        r"^```yaml\n(.*?)^```$", (COLLECTION / "README.md").read_text(encoding="utf-8"), re.M | re.S
    ):
        for name, real in NAMES.items():
            text = text.replace(name, real)
        yield text


def example(words: str) -> str:
    """The first example that has these words."""
    return next(text for text in examples() if words in text)


def installed() -> None:
    """Build the package, and install it where no collection is."""
    package = OUTPUT / "built"
    private_file("vault-password", "a password\n")
    run("ansible-galaxy", "collection", "build", str(COLLECTION), "--output-path", str(package))
    (built,) = package.glob("*.tar.gz")
    run("ansible-galaxy", "collection", "install", "--offline", str(built), "--collections-path", str(INSTALLED))
    version = re.search(r"^version: (\S+)$", (COLLECTION / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    check(version is not None and built.name == f"imageops-registry-{version[1]}.tar.gz", f"{built.name} was built")
    listed = run("ansible-galaxy", "collection", "list", "imageops.registry")
    check(str(INSTALLED) in listed and len(re.findall(r"^imageops\.registry ", listed, re.MULTILINE)) == 1, listed)
    documented = run("ansible-doc", "--list", "--type", "module", "imageops.registry")
    check(set(re.findall(r"^imageops\.registry\.(\w+)", documented, re.MULTILINE)) == set(modules()), documented)


def seeded() -> None:
    """The images that the examples name, at the source."""
    private_file("empty/.docker/config.json", (state_at().directory / "auth.json").read_text(encoding="utf-8"))
    with Pusher(state_at().registry(SOURCE), str(state_at().ca_path)) as pusher:
        for name, tag in (("app", "1.4.2"), ("api", "2.1.0")):
            made = image([layer(f"package/{name}", 5000)], name)
            pusher.push_manifest(f"package/{name}", made, tag)
            DIGESTS[name] = made.digest


def there() -> dict[tuple[str, str], str]:
    """The tags at the destination, and their digests."""
    names = [{"repository": repository, "tag": tag} for repository, tag in PROMOTED]
    found = call([task("manifest_info", {**connection(DESTINATION), "images": names})]).of("manifest_info")
    return {(entry["repository"], entry["tag"]): entry["digest"] for entry in found["images"] if entry["exists"]}


def run_playbook(name: str, *arguments: str) -> Run:
    return playbook(name, {}, *arguments, environment=ENVIRONMENT)


def first_promotion() -> None:
    """Follow the section of the README: a vault, a look at what would change, the promotion, and nothing more to do."""
    password = private_file("plain.yml", f'vault_prod_password: "{REGISTRIES[DESTINATION]["password"]}"\n')
    vault = OUTPUT / "vault.yml"
    run("ansible-vault", "create", "--skip-tty-check", str(vault), EDITOR=shlex.join(["cp", str(password)]))
    password.unlink()
    check(vault.read_text(encoding="utf-8").startswith("$ANSIBLE_VAULT;"), "the vault is not encrypted")
    play = str(private_file("promote.yml", example("role: imageops.registry.promote")))
    secret = ("-e", f"@{vault}")
    wanted = {tag: DIGESTS[name] for tag, name in PROMOTED.items()}
    looked = run_playbook(play, *secret, "--check", "--diff")
    check(there() == {} and all(digest in looked.output for digest in DIGESTS.values()), looked.output)
    promoted = run_playbook(play, *secret)
    check(there() == wanted and not unchanged(promoted), promoted.output)
    again = run_playbook(play, *secret)
    check(there() == wanted and unchanged(again), again.output)


def own_playbook() -> None:
    """The playbook of the collection, with variables from a file."""
    variables = private_file("variables.yml", example("\npromote_images:"))
    done = run_playbook(PROMOTE, "-e", f"@{variables}")
    check(unchanged(done), done.output)


def unchanged(done: Run) -> bool:
    """Whether the summary of a play says that nothing was changed."""
    return bool(re.search(r"ok=\d+ +changed=0 ", done.output))


if __name__ == "__main__":
    main([installed, seeded, first_promotion, own_playbook])
