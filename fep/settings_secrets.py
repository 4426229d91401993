"""Files of keys, certificates and passphrases that the configuration names: there, and private.

Rules: a secret that others of this machine may read is an error; a credential of systemd can
only be seen from inside its service. No content appears in a message.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fep.settings_callers import SEALED, everyone
from fep.settings_http import is_tls
from fep.settings_places import CREDENTIAL, located
from fep.settings_signer import KeyFile, skf_profile
from fep.settings_site import UnitFile
from fep.settings_toml import Problem, SettingsError, Source, Trail
from fep.settings_types import CallerSettings, FepFile

CALLER_KEY_CHARS_MIN = 32
CALLER_KEY_CHARS_MAX = 512
OTHERS = 0o077


class _Files:
    """Looks at files on behalf of one configuration file."""

    def __init__(self, source: Source, root: Path, environ: Mapping[str, str]) -> None:
        self._source = source
        self._root = root
        self._environ = environ

    def secret(self, trail: Trail, reference: str) -> Path | None:
        """Check a file that nobody else may read; return its path if it can be read now."""
        path = self._there(trail, reference)
        if path is None or reference.startswith(CREDENTIAL):
            return path  # systemd keeps credentials private, by an access list
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OTHERS:
            self._source.wrong(
                trail, f"{path} 权限 {mode:04o} 过宽，他人可读",
                f"{path} has mode {mode:04o}: others may read it", f"chmod 600 {path}",
            )  # fmt: skip
        return path

    def blame(self, trail: Trail, problems: Iterable[Problem]) -> None:
        """Tell what is wrong with another file at the key that names it."""
        for each in problems:
            where = f"{each.file}:{each.line} {each.key}"
            self._source.wrong(trail, f"{where}：{each.zh}", f"{where}: {each.en}",
                               each.suggestion)  # fmt: skip

    def public(self, trail: Trail, reference: str, *, weak: bool = False,
               suggestion: str = "") -> None:  # fmt: skip
        """Check a file that anybody may read."""
        self._there(trail, reference, weak=weak, suggestion=suggestion)

    def _there(self, trail: Trail, reference: str, *, weak: bool = False,
               suggestion: str = "") -> Path | None:  # fmt: skip
        path = located(reference, self._root, self._environ)
        if str(path).startswith(CREDENTIAL):
            self._source.wrong(trail, f"{path} 只有服务进程可见，此处无法检查",
                               f"{path} can only be seen by the service, it is not checked here",
                               weak=True)  # fmt: skip
            return None
        try:
            size = path.stat().st_size if path.is_file() else None
        except OSError as error:
            self._source.wrong(trail, f"{path}：{error.strerror}", f"{path}: {error.strerror}")
            return None
        if size is None:
            self._source.wrong(trail, f"文件 {path} 不存在", f"there is no file {path}",
                               suggestion, weak=weak)  # fmt: skip
        elif size == 0:
            self._source.wrong(trail, f"文件 {path} 是空的", f"{path} is empty", suggestion)
        elif not os.access(path, os.R_OK):
            self._source.wrong(trail, f"当前用户无权读取 {path}", f"this user may not read {path}",
                               "sudo -u fep fepctl config check")  # fmt: skip
        else:
            return path
        return None


def check_keys(source: Source, fep: FepFile, units: list[tuple[Source, UnitFile]], root: Path,
               environ: Mapping[str, str],
               callers: Sequence[tuple[Source, CallerSettings]] = ()) -> None:  # fmt: skip
    """Look at every file that is named, without opening any key but the callers'."""
    files = _Files(source, root, environ)
    files.secret(("node", "key"), str(fep.node.key))
    files.public(("node", "cert"), str(fep.node.cert))
    if fep.node.passphrase:
        files.secret(("node", "passphrase"), fep.node.passphrase)
    if fep.link.enabled:
        files.public(("link", "platform_cert"), fep.link.platform_cert, weak=True,
                     suggestion=f"fepctl init {root} --platform-cert FILE")  # fmt: skip
        for place, cert in enumerate(fep.link.finance_certs):
            files.public(("link", "finance_certs", place), cert)
    if any(map(is_tls, (*fep.api.listen, *fep.http.listen))):
        files.secret(("tls", "key"), str(fep.tls.key))
        files.public(("tls", "cert"), str(fep.tls.cert))
    _caller_keys(everyone(source, fep.callers, callers), root, environ)
    _log_file(source, fep, root)
    for unit_source, unit in units:
        own = _Files(unit_source, root, environ)
        for trail, signer in unit.signer.all():
            _signer(own, trail, signer, root)


def _signer(files: _Files, trail: Trail, signer: KeyFile, root: Path) -> None:
    if signer.kind == "skf":
        files.public((*trail, "library"), signer.library)
        try:
            skf_profile(root, signer.profile)
        except SettingsError as error:
            files.blame((*trail, "profile"), error.problems)
    else:
        files.secret((*trail, "key"), signer.key)
    files.public((*trail, "cert"), signer.cert)
    name, reference = signer.secret()
    if reference:
        files.secret((*trail, name), reference)


def _caller_keys(callers: Iterable[tuple[Source, Trail, CallerSettings]], root: Path,
                 environ: Mapping[str, str]) -> None:  # fmt: skip
    owners: dict[str, str] = {}
    for source, place, caller in callers:
        trail: Trail = (*place, "key_file")
        files = _Files(source, root, environ)
        if caller.upstream_key_file:
            files.secret((*place, "upstream_key_file"), caller.upstream_key_file)
        path = files.secret(trail, str(caller.key_file))
        if path is None:
            continue
        raw = path.read_bytes()[: CALLER_KEY_CHARS_MAX + 1].strip()
        least, most = CALLER_KEY_CHARS_MIN, CALLER_KEY_CHARS_MAX
        # What fepctl has encrypted it has looked at; a key taken over may be a short one.
        if not raw.startswith(SEALED) and (not raw.isascii() or not least <= len(raw) <= most):
            source.wrong(
                trail, f"密钥应为 {least} 至 {most} 个 ASCII 字符",
                f"the key must be {least} to {most} ASCII characters",
                f"openssl rand -hex 32 > {path}",
            )  # fmt: skip
        other = owners.setdefault(str(path), caller.appid)
        if other != caller.appid:
            source.wrong(trail, f"与 {other} 使用同一密钥", f"the same key as {other}", weak=True)


def _log_file(source: Source, fep: FepFile, root: Path) -> None:
    if fep.log.file != "-" and not (root / fep.log.file).parent.is_dir():
        source.wrong(("log", "file"), "日志文件所在目录不存在",
                     "the directory of the log file does not exist", '"-"')  # fmt: skip
