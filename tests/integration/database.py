# SPDX-License-Identifier: MIT
"""
A private PostgreSQL for the tests, through deploy/pg-cluster.

    database = database.shared()            # one for all tests of a run, started once
    server = self.start(env={"DATABASE_URL": database.url})

A test that stops or breaks its server makes one of its own: Database(test.folder()).
"""
import atexit
import os
import shutil
import tempfile

import harness

CLUSTER = os.path.join(harness.TOP, "deploy", "pg-cluster")


class Database:
    """A cluster in a folder; `url` is what DATABASE_URL takes."""

    def __init__(self, folder, *options):
        self.folder = os.path.join(folder, "postgres")
        self.url = self._cluster("start", "--fast", *options)

    def _cluster(self, verb, *options):
        return harness.command(CLUSTER, verb, *options, self.folder).stdout.strip()

    def start(self):
        self._cluster("start", "--fast")

    def stop(self):
        self._cluster("stop")

    def restart(self):
        self._cluster("restart")

    def standby(self, folder, *options):
        """A standby of this one in another folder."""
        return Database(folder, "--standby-of", self.folder, *options)

    def promote(self):
        self._cluster("promote")

    def tcp_url(self):
        """Through TCP, with the password; needs the option --port."""
        return self._cluster("url", "--tcp")

    def server_pid(self):
        return int(self._cluster("pid"))

    def destroy(self):
        self._cluster("destroy")

    def query(self, sql):
        """Rows of a query as lists of texts, asked with psql."""
        out = harness.command("psql", "-X", "-q", "-A", "-t", "-F", "\x1f",
                              "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", sql).stdout
        return [line.split("\x1f") for line in out.splitlines()]

    def value(self, sql):
        """The one value of a query, as text."""
        return self.query(sql)[0][0]


_shared = []


def shared():
    """The cluster that all tests of this run share."""
    if not _shared:
        folder = tempfile.mkdtemp(prefix="spout-db-")
        os.chmod(folder, 0o755)
        atexit.register(shutil.rmtree, folder, True)
        database = Database(folder)
        atexit.register(database.destroy)
        _shared.append(database)
    return _shared[0]
