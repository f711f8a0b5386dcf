"""Runs a program and writes what it took to a file: `measure.py REPORT PROGRAM [ARGUMENT ...]`.

The report has `code` (negative: ended by that signal), `seconds` (wall clock, start and end of the process included) and
`peak_bytes` (the highest resident memory of the program itself, as the kernel counted it: `wait4`). The exit code is the program's.
"""

import os
import signal
import sys
import time


def main() -> int:
    report, command = sys.argv[1], sys.argv[2:]
    began = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _: os.kill(pid, which))
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(report, "w", encoding="utf-8") as out:
        out.write(f"code={code}\nseconds={seconds:.6f}\npeak_bytes={peak}\n")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
