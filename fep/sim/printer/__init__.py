"""A receipt printer without a printer: bytes in, cut sheets and status bytes out.

Written from the public ESC/POS command descriptions, for 80 mm paper at 203 dpi (576 dots).
It imports nothing of what it tests; time comes from the reactor or clock that is passed in.
"""
