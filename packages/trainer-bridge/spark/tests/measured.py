"""Runs a program and prints what it took, with everything it started.

`measured.py PROGRAM ARGUMENT…`; the last line is {"wall", "cpu", "rss_mb"}, the largest process's memory.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36

# Workers that outlive their parent come to this process, so that their time is counted too.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
started = time.perf_counter()
status = subprocess.run(sys.argv[1:], check=False).returncode
wall = time.perf_counter() - started
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024}), flush=True)
sys.exit(status)
