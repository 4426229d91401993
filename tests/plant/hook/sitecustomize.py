"""Plants a bug in a real daemon: the tests put this directory on PYTHONPATH, nobody else.

FEP_PLANT names the bug. Without it this file does nothing.
"""

from __future__ import annotations

import os
import sys

if os.environ.get("FEP_PLANT") and not sys.argv[0].endswith("signer_process"):
    from tests.plant.bugs import sow

    sow(os.environ["FEP_PLANT"])
