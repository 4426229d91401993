"""The one door to SM2, SM3, SM4, certificates and key files.

Callers import the nouns (`sm2`, `sm3`, `sm4`, `certs`, `keyfile`, `envelope`, `selftest`);
nobody outside this package sees gmssl, cryptography or libcrypto.
"""
