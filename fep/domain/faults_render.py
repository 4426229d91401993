"""Sentences about receipt pages: what cannot be drawn, and why."""

from __future__ import annotations

from fep.domain.faults import Fault, Refused

CATALOGUE: tuple[Fault, ...] = (
    Fault("RND_CHAR", "字体里没有这些字：{chars}", "The fonts have no glyph for {chars}",
          "请安装 fonts-noto-cjk（apt install fonts-noto-cjk）；仍缺字请联系支持",
          "Install fonts-noto-cjk (apt install fonts-noto-cjk); if it stays, call support"),
    Fault("RND_FONT", "没有安装中文字体", "No Chinese font is installed",
          "请运行 apt install fonts-noto-cjk", "Run apt install fonts-noto-cjk"),
    Fault("RND_TEMPLATE", "票面模板 {path} 有误：{why}", "Page template {path} is wrong: {why}",
          "请改正模板，或移走站点的 templates 目录以用回自带模板",
          "Correct it, or move the site's templates directory away to use the shipped ones"),
    Fault("RND_TIME", "生成票面超过 {seconds} 秒", "The page took more than {seconds} s",
          "请稍后再试；明细很多时不带 --details", "Try again; leave --details out if it is long",
          True),
    Fault("RND_FAILED", "生成票面的进程异常退出：{why}", "The page process ended: {why}",
          "请再试一次；仍失败请联系支持", "Try again; if it stays, call support", True),
)  # fmt: skip

_BY_CODE = {entry.code: entry for entry in CATALOGUE}


def render_refuse(code: str, **details: object) -> Refused:
    """Return the refusal to raise; an unknown code is shown as RND_FAILED."""
    found = _BY_CODE.get(code)
    if found is None:
        return Refused(_BY_CODE["RND_FAILED"], {"why": code})
    return Refused(found, details)
