# SPDX-License-Identifier: Apache-2.0
"""lineage.py WAY PROGRAM ARGUMENTS...: runs it by a way that loses parents, and waits until it is through."""
import os
import sys
import threading
import time

way, argv = sys.argv[1], sys.argv[2:]


def run(*_):
    os.execv(argv[0], argv)


if way == "double":  # a fork in a new session, whose child runs it when its parent is gone
    seen, held = os.pipe()
    if os.fork() == 0:
        os.setsid()
        middle = os.getpid()
        if os.fork() == 0:
            while os.getppid() == middle:
                time.sleep(0.01)
            os.close(seen)
            os.set_inheritable(held, True)
            run()
        os._exit(0)
    os.close(held)
    os.wait()
    os.read(seen, 1)
elif way == "vfork":
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(argv[0], argv, os.environ), 0)[1]))
elif way == "thread":
    threading.Thread(target=run).start()
    time.sleep(60)
elif way == "exec":
    run()
