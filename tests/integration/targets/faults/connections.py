# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of what belongs to no repository: connections, the base of the API, the token server. Each has a proxy."""

from __future__ import annotations

from typing import Any, NamedTuple

from rows import RUN, STATUSES, at_a_time, kind_of
from runs import REGISTRIES, Failed, Plain, call, check, connection, seed, task

from fault_proxy import FaultProxy

TOKENS = "faulty-token"


class Own(NamedTuple):
    """Tasks through a proxy of their own. ``fails`` is what the last of them says; empty where it succeeds."""

    name: str
    faults: str
    module: str
    kinds: set[str]
    registry: str = "faulty"
    fails: str = ""
    options: Plain = {}

    def task(self, address: str) -> Plain:
        image = seed("dev", "single", "faults-own", images=1)[0]
        at = {"registry": address, "plain_http": True}
        if REGISTRIES[self.registry]["login"] != "none":
            entry = REGISTRIES[self.registry]
            at.update(username=entry["username"], password=entry["password"])
            at["ca_path"] = connection(self.registry)["ca_path"]
        more: Plain = {"repository": f"{self.name}/single"}
        if self.module == "image_copy":
            item = {"repository": image["repository"], "tag": image["tag"], "destination_repository": self.name}
            more = {"images": [item], "source": connection("dev")}
        return task(self.module, {**at, **more, **self.options}, name=self.name)


ROWS = [
    *(
        Own(
            f"faults-base-{code}-{RUN}",
            f"status={code}+token-status={code}",
            "registry_info",
            {"GET base", "GET tags", "GET token"},
            TOKENS,
        )
        for code in STATUSES
    ),
    Own(f"faults-tags-{RUN}", "status=503+token-status=503", "tag_info", {"GET tags", "GET token"}, TOKENS),
    Own(f"faults-token-{RUN}", "token-status=503", "image_copy", {"GET token"}, TOKENS),
    Own(f"faults-endless-{RUN}", "endless-body=tags", "tag_info", {"GET tags"}, fails="larger than"),
    Own(f"faults-zipped-{RUN}", "content-encoding", "tag_info", {"GET tags"}, fails="no valid list of tags"),
    Own(f"faults-refused-{RUN}", "refused=2", "image_copy", {"- -"}),
    Own(
        f"faults-refused-always-{RUN}",
        "refused",
        "image_copy",
        {"- -"},
        fails="Cannot reach {address}: the connection to {address} broke off",
        options={"retries": 1},
    ),
]


def own_proxies() -> None:
    """All at a time, and each through its own proxy."""
    proxies: dict[str, FaultProxy] = {}
    try:
        tasks = []
        for row in ROWS:
            if row.module != "image_copy":
                seed(row.registry, "single", row.name, images=1)
            proxy = FaultProxy(f"http://{REGISTRIES[row.registry]['inner_address']}", row.faults)
            proxies[row.name] = proxy.__enter__()
            tasks.append(row.task(proxy.address))
        run = at_a_time(tasks)
        problems = []
        for row in ROWS:
            try:
                judge(row, run.of(row.name), proxies[row.name])
            except Failed as failure:
                problems.append(f"{row.name} ({row.faults}): {failure}")
        check(not problems, "\n".join(problems))
    finally:
        for proxy in proxies.values():
            proxy.close()
    again()


def judge(row: Own, result: Plain, proxy: FaultProxy) -> None:
    acted = {f"{entry['method']} {kind_of(entry['path'])}" for entry in proxy.requests if entry["faults"]}
    check(row.kinds <= acted, f"nothing went wrong at {row.kinds - acted}, only at {acted}")
    failures = result.get("failures") or []
    message = str(failures[0]["msg"] if failures else result.get("msg", ""))
    if not row.fails:
        check(not result["failed"], f"it fails: {message}")
        return
    check(result["failed"], "it does not fail")
    phrase = row.fails.format(address=proxy.address)
    check(phrase in message and proxy.address in message, f"{phrase!r} is not in: {message}")


def again() -> None:
    """The same copies past the proxies."""
    copies = [row for row in ROWS if row.module == "image_copy"]
    run = call([row.task(REGISTRIES[row.registry]["inner_address"]) for row in copies])
    for row in copies:
        result: dict[str, Any] = run.of(row.name)
        check(not result["failed"] and result["changed"] == bool(row.fails), f"{row.name}: {result}")
