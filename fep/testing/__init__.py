"""The conformance kit: what every device driver must keep, run by pytest over any of them.

For authors of drivers, ours and others': derive from `PrinterKit` or `TerminalKit`, say how
to make the simulator and the driver, and run pytest. Needs the extra `fep[test]`. The manual
is fep/docs/en/drivers.md. Never imported by the running program.
"""
