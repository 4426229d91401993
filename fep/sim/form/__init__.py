"""A form printer without a printer: ESC/P bytes in, sheets of a tractor out.

Written from the public ESC/P 2 command descriptions, for 24 pins at 180 dpi. It never says
anything, as such printers do not. It imports nothing of what it tests.
"""
