#!/bin/sh
# Makes a virtual environment in $1. On a fresh Debian or Ubuntu python3 comes without ensurepip; then the package
# python3-venv is installed where that is permitted, and otherwise the person is told the one command that helps.
set -eu
venv=$1
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
    echo "smgw-bench needs Python 3.11 or later: apt-get install python3" >&2
    exit 2
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "smgw-bench needs Python 3.11 or later, but $("$python" --version) is here (say PYTHON=python3.11 make ...)" >&2
    exit 2
fi
if [ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi
if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    exec "$python" -m venv "$venv"
fi
package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
echo "python3 has no ensurepip here: the Debian package $package is needed"
as_root=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "install it and try again: sudo apt-get install $package" >&2
        exit 2
    fi
fi
if ! command -v apt-get >/dev/null; then
    echo "install the package that brings ensurepip for $python, and try again" >&2
    exit 2
fi
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq "$package"
rm -rf "$venv"
exec "$python" -m venv "$venv"
