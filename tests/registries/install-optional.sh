#!/bin/sh
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Install what is optional: the registries distribution 3 (deletes tags) and olareg (referrers API), and the client oras, which
# Go builds.
# Usage: install-optional.sh [DIRECTORY]
#        install-optional.sh signing [DIRECTORY]     the clients cosign and notation, which takes about ten minutes
#        install-optional.sh gitea [DIRECTORY]       the registry Gitea, with a C compiler, which takes about five minutes
#        install-optional.sh pulp [DIRECTORY]        the registry Pulp, with Python 3.11 or newer, and no Go

set -eu

what=
case "${1:-}" in signing | gitea | pulp)
    what=$1
    shift
    ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
directory=${1:-${REGISTRIES_OPTIONAL:-${XDG_CACHE_HOME:-$HOME/.cache}/imageops-registries}}

mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
if [ "$what" = pulp ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "install-optional.sh: Pulp needs Python 3.11 or newer, as python3." >&2; exit 2; }
    [ -x "$directory/pulp/bin/python" ] || python3 -m venv "$directory/pulp"
    "$directory/pulp/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/pulp.txt"
    echo "installed $(grep -v '^#' "$here/pulp.txt" | tr '\n' ' ')in $directory/pulp"
    exit
fi

command -v go >/dev/null || { echo "install-optional.sh: Go is needed to build the optional registries." >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build NAME MODULE VERSION PACKAGE [LINES OF go.mod] [OPTION]
build() {
    mkdir "$work/$1"
    # A module of our own instead of `go install`: that also wants the list of all versions, which some proxies
    # do not serve.
    printf 'module optional\n\nrequire %s %s\n%s\n' "$2" "$3" "${5:-}" >"$work/$1/go.mod"
    (cd "$work/$1" && go build ${6:+"$6"} -mod=mod -buildvcs=false -trimpath -ldflags='-s -w' -o "$directory/$1.new" "$4") \
        2>"$work/log" || { cat "$work/log" >&2; exit 2; }
    mv "$directory/$1.new" "$directory/$1"
}

if [ "$what" = gitea ]; then
    # What its own go.mod replaces must be replaced here, too; and with its line go, fewer modules are loaded.
    (cd "$work" && go mod download -json code.gitea.io/gitea@v1.26.0) >"$work/module" 2>&1 ||
        { cat "$work/module" >&2; exit 2; }
    sources=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' "$work/module")
    lines=$(sed -n '/^replace /p; /^go /p' "$sources/go.mod")
    build gitea code.gitea.io/gitea v1.26.0 code.gitea.io/gitea "$lines" -tags=sqlite,sqlite_unlock_notify
    mkdir "$work/files"
    cp -r "$sources/options" "$sources/templates" "$sources/public" "$work/files"
    chmod -R u+w "$work/files"
    rm -rf "$directory/gitea-files"
    mv "$work/files" "$directory/gitea-files"
    echo "installed gitea v1.26.0 in $directory"
    exit
fi
if [ "$what" = signing ]; then
    build notation github.com/notaryproject/notation v1.3.2 github.com/notaryproject/notation/cmd/notation
    # With `go install`: a module of our own would load the whole graph of modules, of which proxies don't serve all.
    GOBIN="$work" go install github.com/sigstore/cosign/v3/cmd/cosign@v3.0.2 2>"$work/log" || { cat "$work/log" >&2; exit 2; }
    mv "$work/cosign" "$directory/cosign"
    echo "installed cosign v3.0.2 and notation v1.3.2 in $directory"
    exit
fi
build distribution3 github.com/distribution/distribution/v3 v3.1.1 github.com/distribution/distribution/v3/cmd/registry
build olareg github.com/olareg/olareg v0.2.2 github.com/olareg/olareg/cmd/olareg
build oras oras.land/oras v1.3.0 oras.land/oras/cmd/oras
echo "installed distribution3 v3.1.1, olareg v0.2.2 and oras v1.3.0 in $directory"
