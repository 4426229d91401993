#!/usr/bin/env python3
"""verify_journal.py FILE [CERT [HASH]]: follow an exported journal.

CERT: the node's certificate, for the signed checkpoints. HASH: that of the record before the
first one, when the file does not begin at record 1. Needs Python and the openssl command.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

VERIFY = "openssl pkeyutl -verify -pubin -rawin -digest sm3 -pkeyopt distid:1234567812345678"


def signed(body, cert):
    said = {name: body[name] for name in ("at", "cert_serial", "hash", "seq")}
    with tempfile.TemporaryDirectory() as name:
        key, text, signature = (Path(name, part) for part in ("key", "text", "signature"))
        command = ["openssl", "x509", "-in", cert, "-pubkey", "-noout", "-out", key]
        subprocess.run(command, check=True)
        text.write_text(json.dumps(said, separators=(",", ":"), sort_keys=True), "ascii")
        signature.write_bytes(bytes.fromhex(body["signature"]))
        command = [*VERIFY.split(), "-inkey", key, "-in", text, "-sigfile", signature]
        return subprocess.run(command, capture_output=True).returncode == 0


def follow(path, cert=None, start="00" * 32):
    before, expected, last_at, checkpoints = bytes.fromhex(start), 0, 0, 0
    for row in Path(path).read_bytes().splitlines():
        digest, _, line = row.partition(b" ")
        record = json.loads(line)
        expected = expected or (record["seq"] if any(before) else 1)
        if record["seq"] != expected:
            return f"record {expected} is missing, {record['seq']} follows"
        canonical = json.dumps(
            record, ensure_ascii=False, separators=(",", ":"), sort_keys=True
        ).encode()
        if canonical != line:
            return f"record {expected} is not in canonical form"
        if cert and record["op"] == "journal.checkpoint":
            body, checkpoints = record["body"], checkpoints + 1
            if (body["seq"], body["hash"]) != (expected - 1, before.hex()):
                return f"checkpoint {expected} signs another head"
            if not signed(body, cert):
                return f"the signature of checkpoint {expected} does not verify"
        before = hashlib.new("sm3", before + line).digest()
        if before.hex().encode() != digest:
            return f"the chain is broken at record {expected}"
        if record["at"] < last_at - 60_000:
            print(f"note: the clock went back before record {expected}")
        last_at, expected = record["at"], expected + 1
    print(f"OK {expected - 1} records, {checkpoints} checkpoints, head {before.hex()}")
    return None


if __name__ == "__main__":
    sys.exit(follow(*sys.argv[1:]))
