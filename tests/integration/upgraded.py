# SPDX-License-Identifier: MIT
"""
A server whose program is replaced while it runs (SIGUSR2): the process that serves is
another one afterwards, and a child of nobody that the harness knows.
"""
import ctypes
import os
import shutil
import signal

import harness
from harness import until

PR_SET_CHILD_SUBREAPER = 36


class Server(harness.Server):
    """
    As harness.Server, from a copy of the program that a test may replace. `main` is the
    pid of the supervisor that serves.
    """

    def __init__(self, test, *args, program=harness.DEMO, **options):
        # What loses its parent becomes our child: its status can be asked for.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.path = test.folder() + "/program"
        shutil.copy(program, self.path)
        self.main = None
        super().__init__(*args, program=self.path, **options)
        self.main = self.pid
        test.addCleanup(self.finish)

    def replace_by(self, text, mode=0o755):
        """The program on disk becomes a script."""
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.chmod(self.path + ".new", mode)
        os.rename(self.path + ".new", self.path)

    def restore(self, program=harness.DEMO):
        """It becomes what it was."""
        shutil.copy(program, self.path + ".new")
        os.rename(self.path + ".new", self.path)

    def signal(self, signo):
        os.kill(self.main, signo)

    def workers(self):
        return harness.children(self.main)

    def begin_upgrade(self):
        """Ask for one; the pid of the new program."""
        start = len(self.lines)
        self.signal(signal.SIGUSR2)
        return int(self.wait_log(r"upgrade: starting .* as pid (\d+)", 60,
                                 start=start)[0].group(1))

    def upgrade(self, seconds=60):
        """One upgrade, until the old program is gone."""
        start, old = len(self.lines), self.main
        self.main = self.begin_upgrade()
        self.wait_log("upgrade: taken over", seconds, start=start)
        self.end_of(old, seconds)

    def end_of(self, pid, seconds=60):
        """Wait for the end of one of its supervisors, which has to be a good one."""
        if pid == self.pid:
            status = self.process.wait(seconds * harness.SLOW)
        else:
            until(lambda: not harness.exists(pid), seconds)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status != 0:
            raise harness.Broken("pid %d ended with status %d; it said:\n%s" % (
                pid, status, "\n".join(self.lines[-30:])))

    def alive(self):
        return harness.exists(self.main or self.pid)

    def stop(self, signo=None, seconds=20):
        if self.alive():
            self.signal(signo or signal.SIGTERM)
        self.end_of(self.main, seconds)
        self.reader.join(5)
        harness.running.remove(self)
        self.check_log()
