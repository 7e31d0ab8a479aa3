# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start, seed, watch and stop real registries on loopback, for tests and demonstrations."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

try:
    from access_log import mark_logs, read_requests
    from catalogue import DEFAULT_KINDS, KINDS, Options
    from errors import HarnessError
    from fault_control import FaultControl
    from faults import describe_faults
    from files import write_json
    from fleet import start, stop
    from seeding import seed
    from specification import Specification
    from state import State
except ModuleNotFoundError as missing:
    needed = Path(__file__).with_name("requirements.txt")
    sys.stderr.write(f"registries: {missing.name} is missing; run: {sys.executable} -m pip install -r {needed}\n")
    sys.exit(2)

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        text = options.run(options)
    except HarnessError as error:
        sys.stderr.write(f"registries: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(text + "\n")
    return 0


def _start(options: argparse.Namespace) -> str:
    state = State(options.state)
    return start(state, [_specification(state, text) for text in options.registries])


def _specification(state: State, text: str) -> Specification:
    """A name alone is a registry as it is known."""
    known = state.load()["registries"] if state.exists() else {}
    return Specification.from_json(known[text]["specification"]) if text in known else Specification.parse(text)


def _stop(options: argparse.Namespace) -> str:
    return stop(State(options.state), options.delete)


def _seed(options: argparse.Namespace) -> str:
    kinds = list(dict.fromkeys(options.kinds.split(",")))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise HarnessError(f"Unknown kind '{unknown[0]}'; known are {', '.join(KINDS)}.")
    if not re.fullmatch(f"{_COMPONENT}(?:/{_COMPONENT})*", options.prefix):
        raise HarnessError(f"'{options.prefix}' is no repository name.")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", options.tag):
        raise HarnessError(f"'{options.tag}' is no tag.")
    wanted = Options(
        seed=options.seed,
        layers=options.layers,
        layer_size=options.layer_size,
        images=options.images,
        prefix=options.prefix,
        tag=options.tag,
    )
    result = seed(State(options.state), options.registry, kinds, wanted)
    if options.output is None:
        return json.dumps(result, indent=2)
    write_json(Path(options.output).absolute(), result)
    pushed = sum(item["pushed"] for item in result)
    return f"{options.registry} has {len(result)} images, {pushed} of them pushed now"


def _requests(options: argparse.Namespace) -> str:
    return json.dumps(
        read_requests(State(options.state), options.registry, options.since, options.source, options.own), indent=2
    )


def _faults(options: argparse.Namespace) -> str:
    if options.state is None and options.registry is None:
        return describe_faults()
    if options.state is None or options.registry is None:
        raise HarnessError("Both --state and --registry are needed to switch faults.")
    path = State(options.state).registry(options.registry).get("faults_path")
    if path is None:
        raise HarnessError(f"Registry '{options.registry}' was started without the option faults.")
    control = FaultControl(path)
    others = control.read() if options.repository else {}
    control.switch({**others, options.repository: options.faults})
    where = f"{options.registry}/{options.repository}" if options.repository else options.registry
    return f"{where} plays {options.faults or 'no faults'}"


def _mark(options: argparse.Namespace) -> str:
    return mark_logs(State(options.state))


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,15})([KMG]?i?B?)", text, re.ASCII | re.IGNORECASE)
    unit = match[2].upper() if match else "?"
    if match is None or unit not in _UNITS or int(match[1]) < 1:
        raise argparse.ArgumentTypeError("a size is a whole number with B, KiB, MiB or GiB")
    return int(match[1]) * _UNITS[unit]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10000):
        raise argparse.ArgumentTypeError("a number from 1 to 10000 is needed")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="registries.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str, needed: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        added.add_argument("--state", required=needed, metavar="DIR", help="directory of this set of registries")
        return added

    added = command("start", _start, "Start registries; those that run are left alone, dead ones come back.")
    added.add_argument(
        "registries",
        nargs="*",
        metavar="NAME[,OPTION...]",
        help="options: tls, login=none|htpasswd|token, token-seconds=N, delete=on|off, relative-urls, "
        "client-certificate, token-post-only, binary=PATH|distribution3|olareg, password=TEXT, "
        "faults[=NAME+...]; without any NAME, all known registries",
    )

    added = command("stop", _stop, "Stop all registries.")
    added.add_argument("--delete", action="store_true", help="remove the directory, too")

    added = command("seed", _seed, "Push made-up images; what exists is skipped.")
    added.add_argument("--registry", required=True, metavar="NAME")
    added.add_argument("--kinds", default=",".join(DEFAULT_KINDS), help=f"of {','.join(KINDS)} (default: %(default)s)")
    added.add_argument("--layers", type=_count, default=2, metavar="N", help="layers per image (default: 2)")
    added.add_argument("--layer-size", type=_size, default=65536, metavar="SIZE", help="default: 64KiB")
    added.add_argument("--images", type=_count, default=3, metavar="N", help="images of a family (default: 3)")
    added.add_argument("--prefix", default="team", help="first part of the repository names (default: team)")
    added.add_argument("--tag", default="1.0", help="default: 1.0")
    added.add_argument("--seed", default="1", help="another seed gives other content (default: 1)")
    added.add_argument("--output", metavar="FILE", help="write the JSON list there instead of printing it")

    added = command("requests", _requests, "Print the requests that a registry saw.")
    added.add_argument("--registry", required=True, metavar="NAME")
    added.add_argument("--since", metavar="MARK", help="only those after this mark")
    added.add_argument("--source", choices=("registry", "token", "proxy"), default="registry", help="whose log")
    added.add_argument("--own", action="store_true", help="include the harness's own requests")

    added = command("faults", _faults, "Switch the faults of a registry's proxy, or list all that there are.", False)
    added.add_argument("--registry", metavar="NAME")
    added.add_argument(
        "--repository", default="", metavar="NAME", help="in it only; default: in all, and in no other way"
    )
    added.add_argument("faults", nargs="?", default="", metavar="NAME[=ARGUMENT][+NAME...]", help="none: no faults")

    command("mark", _mark, "Print a mark of the present moment, for requests --since.")
    return parser


if __name__ == "__main__":
    sys.exit(main())
