"""The style sheet of the receipt page: one file inside the page, nothing fetched from anywhere.

Rules: readable on a phone of 320 px and on a desktop; on paper without buttons; no colour
alone says anything. The page allows this very text by its digest and nothing else.
"""

from __future__ import annotations

STYLE = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:#efe9e1;color:#2a2420;line-height:1.5;
font:16px/1.5 "Noto Sans CJK SC","Noto Sans SC","PingFang SC","Microsoft YaHei",sans-serif}
main{position:relative;overflow:hidden;max-width:860px;margin:0 auto;background:#fffdfa;
padding:16px 16px 24px;min-height:100vh}
header{border-bottom:2px solid #a4483c;padding-bottom:12px;margin-bottom:12px}
h1{font-size:1.3rem;line-height:1.35;margin:4px 0 2px;color:#8c2f24;text-wrap:balance}
h2{font-size:1rem;margin:22px 0 6px;color:#8c2f24}
a{color:#8c2f24}
.top{display:flex;justify-content:space-between;align-items:center;gap:12px;font-size:.9rem}
.issuer{margin:0;color:#5d524a}
.marks{display:flex;flex-wrap:wrap;gap:8px;margin:10px 0 0}
.mark{border:1px solid;border-radius:4px;padding:1px 10px;font-weight:600;font-size:.95rem}
.good{color:#1f6b3a;background:#eef7f0}.bad{color:#a3150f;background:#fdefee}
.wait{color:#7a5200;background:#fdf5e4}
.hint{margin:8px 0 0;font-size:.9rem;color:#5d524a}
dl{margin:0;display:grid;grid-template-columns:1fr;gap:0}
dl div{display:flex;justify-content:space-between;gap:16px;padding:5px 0;
border-bottom:1px solid #eee4da}
dt{color:#6d6058;flex:none;max-width:60%}
dd{margin:0;text-align:right;overflow-wrap:anywhere}
.mono{font-variant-numeric:tabular-nums;letter-spacing:.02em}
table{width:100%;border-collapse:collapse}
th{font-weight:400;color:#6d6058;text-align:left;font-size:.88rem}
th,td{padding:6px 4px;border-bottom:1px solid #eee4da;vertical-align:top;overflow-wrap:anywhere}
th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.small{display:block;font-size:.85rem;color:#6d6058}
.total{margin:14px 0 0;padding:10px 12px;background:#f8efe8;border-left:4px solid #a4483c}
.total p{margin:0;display:flex;justify-content:space-between;gap:16px;align-items:baseline}
.total b{font-size:1.35rem;font-variant-numeric:tabular-nums}
.total span:last-child{text-align:right}
details{margin-top:20px;border:1px solid #e2d6ca;border-radius:6px;padding:0 12px}
summary{cursor:pointer;padding:10px 0;font-weight:600;color:#8c2f24}
details[open] summary{border-bottom:1px solid #eee4da}
.qr{margin:24px auto 0;text-align:center}
.qr svg{width:172px;height:172px;padding:14px;background:#fff;border:1px solid #e2d6ca;
display:block;margin:0 auto 8px}
.qr p{margin:2px 0;font-size:.9rem;color:#5d524a;overflow-wrap:anywhere}
.buttons{display:flex;gap:12px;margin-top:22px}
.buttons a{flex:1;text-align:center;padding:12px 8px;border-radius:8px;text-decoration:none;
border:1px solid #8c2f24;font-weight:600}
.buttons a:first-child{background:#8c2f24;color:#fff}
.notice{text-align:center;padding:18vh 0}
.sheet{position:absolute;inset:0;width:100%;height:100%;pointer-events:none}
.sheet text{font-size:92px;letter-spacing:22px;font-weight:700;fill:rgba(163,21,15,.17)}
@media(min-width:640px){
main{padding:28px 40px 36px;min-height:0;margin:28px auto;border:1px solid #e2d6ca;
border-radius:10px}
h1{font-size:1.6rem}
dl{grid-template-columns:1fr 1fr;column-gap:40px}
.buttons{justify-content:center}.buttons a{flex:none;min-width:190px}}
@media print{body{background:#fff}main{margin:0;border:0;max-width:none}
.buttons,.toggle{display:none}}
"""
