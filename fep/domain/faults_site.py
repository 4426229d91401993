"""Sentences of making a site: what `fepctl init` and `fepctl config` refuse."""

from __future__ import annotations

from fep.domain.faults import Fault, Refused

CATALOGUE: tuple[Fault, ...] = (
    Fault("SITE_EXISTS", "{path} 中已有 {found}，不会覆盖", "{path} already holds {found}",
          "请换一个目录；更换平台证书请只加 --platform-cert",
          "Take another directory; to import a platform certificate give --platform-cert alone"),
    Fault("SITE_NONE", "{path} 不是站点目录（没有 fep.toml）",
          "{path} is no site: it has no fep.toml",
          "请先运行 fepctl init 目录", "Run fepctl init DIR first"),
    Fault("SITE_FILE", "{path} 无法读写：{why}", "{path} cannot be read or written: {why}",
          "请检查路径、权限与磁盘空间", "Check path, permission and disk space"),
    Fault("SITE_CERT", "{path} 不是可用的 SM2 证书：{why}",
          "{path} is not an SM2 certificate that can be used: {why}",
          "请向平台索取 PEM 或 DER 格式的国密证书",
          "Ask the platform for its SM2 certificate in PEM or DER"),
    Fault("SITE_CERT_OWN", "{path} 是本机自己的证书，不是平台的",
          "{path} is a certificate of this site, not the platform's",
          "请向平台索取平台证书", "Ask the platform for its certificate"),
    Fault("SITE_TEMPLATES", "找不到配置模板：{path}", "The templates are missing: {path}",
          "请重新安装本软件", "Install the software again"),
    Fault("SITE_SECRET", "{path} 他人可读", "Others may read {path}",
          "请先 chmod 600 {path}", "Run chmod 600 {path} first"),
    Fault("SITE_CONFIG", "配置有 {count} 处错误，先看：{first}",
          "The configuration has {count} errors, the first: {first}",
          "请运行 fepctl config check", "Run fepctl config check"),
)  # fmt: skip

_BY_CODE = {entry.code: entry for entry in CATALOGUE}


def site_refuse(code: str, **details: object) -> Refused:
    """Return the refusal to raise; the command line needs no other part of the catalogue."""
    return Refused(_BY_CODE[code], details)
