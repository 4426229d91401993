"""Sentences for the unit's signing key (facts/devices 7.8): a key that is away, a PIN that was
refused, a certificate out of its time. What a cashier reads is short and names one action.
No I/O here.
"""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("SIG_REMOVED", "未检测到单位 {unit} 的签名 UKEY",
          "The signing UKEY of unit {unit} is not there",
          "请插入 UKEY，会自动恢复开票", "Plug it in; issuing goes on by itself", True),
    Fault("SIG_PIN_WRONG", "签名 UKEY 口令错误，剩余 {left} 次，已停止尝试",
          "The PIN of the signing UKEY is wrong, {left} tries are left, it is not tried again",
          "请核对口令文件，然后运行 fepctl keys reset {unit} --reason …",
          "Correct the PIN file, then run fepctl keys reset {unit} --reason …"),
    Fault("SIG_PIN_LOCKED", "签名 UKEY 已锁定", "The signing UKEY is locked",
          "请联系发证机构解锁，再运行 fepctl keys reset {unit} --reason …",
          "Have its issuer unlock it, then run fepctl keys reset {unit} --reason …"),
    Fault("SIG_LOGIN", "签名 UKEY 登录结果不明（{why}），已停止尝试",
          "The login at the signing UKEY ended unclear ({why}), it is not tried again",
          "请检查 UKEY 与口令，再运行 fepctl keys reset {unit} --reason …",
          "Check UKEY and PIN, then run fepctl keys reset {unit} --reason …"),
    Fault("SIG_FAIL", "单位 {unit} 签名失败，已停止开票", "The signer of unit {unit} signs wrongly",
          "请检查签名设备：fepctl keys", "Check the signing device: fepctl keys", True),
    Fault("SIG_CERT_EXPIRED", "签名证书 {serial} 不在有效期内（{since} 至 {until}）",
          "The signing certificate {serial} is only valid from {since} until {until}",
          "请核对本机时钟；已过期的请换证书并登记",
          "Check the clock; replace and register an expired certificate"),
    Fault("SIG_UNKNOWN", "单位 {unit} 没有签名密钥 {role}",
          "Unit {unit} has no signing key {role}",
          "请用 fepctl keys 查看", "See fepctl keys"),
)  # fmt: skip
