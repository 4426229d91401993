# Sourced by the scripts beside it: finds Python, makes .venv, installs what the lock files pin.
#
# fep_setup run|test   brings everything up to date; silent when there is nothing to do.
# Nothing is fetched while the lock files, setup.cfg and the interpreter are unchanged, so that
# a machine without network keeps working. Debian packages are installed only when missing.
# shellcheck shell=bash

FEP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
FEP_VENV=$FEP_ROOT/.venv

fep_say() { printf 'setup: %s\n' "$*" >&2; }

fep_give_up() { # what is missing, the command an administrator must run
    fep_say "缺少 / missing: $1"
    fep_say "请让管理员执行 / ask an administrator to run:"
    fep_say "    $2"
    exit 2
}

# Every line: Debian package, then the test that says it is there.
fep_debian_missing() { # level
    local python
    python=$(fep_python) || python=""
    [[ -n $python ]] || echo python3
    "${python:-false}" -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
    { [[ -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc ]] ||
        [[ -n $(fc-list :lang=zh-cn file 2>/dev/null | grep -i noto | head -n 1) ]]; } ||
        echo fonts-noto-cjk
    { compgen -G '/usr/lib/*/libcrypto.so.3' || compgen -G '/lib/*/libcrypto.so.3' ||
        compgen -G '/usr/lib*/libcrypto.so.3'; } >/dev/null || echo libssl3
    command -v openssl >/dev/null || echo openssl
    [[ $1 == run ]] || command -v strace >/dev/null || echo strace
    [[ $1 == run ]] || command -v pdftotext >/dev/null || echo poppler-utils
    [[ $1 == run ]] || command -v chromium >/dev/null || echo chromium
    # The samples of the integrator's manual are run as they stand.
    [[ $1 == run ]] || command -v node >/dev/null || echo nodejs
    [[ $1 == run ]] || command -v javac >/dev/null || echo default-jdk-headless
    [[ $1 == run ]] || command -v socat >/dev/null || echo socat
    # The stub of a UKEY library is compiled by its tests.
    [[ $1 == run ]] || command -v gcc >/dev/null || echo "gcc libc6-dev"
    [[ $1 == run ]] || [[ -x /usr/sbin/ippeveprinter || -x /usr/bin/ippeveprinter ]] || echo cups-ipp-utils
    [[ $1 == run ]] || [[ -x /usr/sbin/avahi-daemon ]] || echo avahi-daemon
    [[ $1 == run ]] || command -v dbus-daemon >/dev/null || echo dbus
}

fep_debian() { # level
    local missing command
    missing=$(fep_debian_missing "$1" | tr '\n' ' ')
    missing=${missing% }
    [[ -n $missing ]] || return 0
    command="apt-get update && apt-get install -y --no-install-recommends $missing"
    command -v apt-get >/dev/null || fep_give_up "$missing" "(this is not Debian: install the like of) $missing"
    local -a root=()
    if ((EUID != 0)); then
        sudo -n true 2>/dev/null || fep_give_up "$missing" "sudo sh -c '$command'"
        root=(sudo -n)
    fi
    fep_say "正在安装系统软件包 / installing Debian packages: $missing"
    "${root[@]}" apt-get update -qq >&2 || fep_say "apt-get update failed, trying with the lists at hand"
    # shellcheck disable=SC2086  # the list is meant to be split
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends $missing >&2 || fep_give_up "$missing" "sudo sh -c '$command'"
}

fep_python() { # prints the newest suitable interpreter's name
    local name
    for name in "${FEP_PYTHON:-}" python3.11 python3 python3.12 python3.13; do
        [[ -n $name ]] && command -v "$name" >/dev/null || continue
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return 0
        fi
    done
    return 1
}

fep_stamp() { # python executable: one line that changes whenever an installation is due
    (cd "$FEP_ROOT" && "$1" - setup.cfg pyproject.toml scripts/lock/run.txt scripts/lock/test.txt <<'PY'
import hashlib, pathlib, sys
digest = hashlib.sha256(sys.version.encode())
digest.update(str(pathlib.Path.cwd()).encode())
for name in sys.argv[1:]:
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())
PY
    )
}

fep_install() { # level
    local python=$FEP_VENV/bin/python lock=$FEP_ROOT/scripts/lock/$1.txt log=$FEP_VENV/install.log
    fep_say "正在安装 Python 依赖 / installing Python packages ($(grep -c == "$lock"), pinned and hashed) …"
    if ! "$python" -m pip install --disable-pip-version-check --require-hashes -r "$lock" >"$log" 2>&1 ||
        ! "$python" -m pip install --disable-pip-version-check --no-deps --no-build-isolation \
            -e "$FEP_ROOT" >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fep_give_up "Python packages (see above and $log)" \
            "$python -m pip install --require-hashes -r $lock"
    fi
}

fep_setup() { # run|test
    local level=$1 python stamp have=""
    fep_debian "$level"
    python=$(fep_python) || fep_give_up "Python 3.11+" "apt-get install -y python3 python3-venv"
    if ! "$FEP_VENV/bin/python" -c "import importlib.util as u; u.find_spec('pip') or exit(1)" 2>/dev/null; then
        fep_say "正在建立虚拟环境 / making the virtual environment .venv ($("$python" -V))"
        "$python" -m venv --clear "$FEP_VENV" || fep_give_up "venv" "apt-get install -y python3-venv"
    fi
    stamp=$(fep_stamp "$FEP_VENV/bin/python")
    [[ ! -e $FEP_VENV/fep-stamp ]] || have=$(<"$FEP_VENV/fep-stamp")
    # What the tests need includes what running needs.
    if [[ $have != "test $stamp" && $have != "$level $stamp" ]]; then
        # A change of setup.cfg must not take the tests' packages away from a developer.
        [[ $have != test\ * ]] || level=test
        rm -f "$FEP_VENV/fep-stamp"
        fep_install "$level"
        printf '%s %s\n' "$level" "$stamp" >"$FEP_VENV/fep-stamp"
        fep_say "就绪 / ready"
    fi
}
