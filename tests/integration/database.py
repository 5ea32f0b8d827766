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
import proxies

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


class Pooler:
    """pgbouncer in transaction mode before a cluster; stopped with the test."""

    def __init__(self, test, cluster, size=8):
        folder, self.port = test.folder(), proxies.free_port()
        with open(os.path.join(cluster.folder, "owner")) as file:
            owner = file.read().strip()
        with open(os.path.join(cluster.folder, "socket_dir")) as file:
            socket_dir = file.read().strip()
        with open(os.path.join(cluster.folder, "port")) as file:
            port = file.read().strip()
        path = os.path.join(folder, "pgbouncer.ini")
        with open(path, "w") as file:
            file.write("""
                [databases]
                spout = host=%s port=%s user=spout
                [pgbouncer]
                listen_addr = 127.0.0.1
                listen_port = %d
                unix_socket_dir =
                auth_type = any
                pool_mode = transaction
                default_pool_size = %d
                max_client_conn = 200
                server_login_retry = 1
                """ % (socket_dir, port, self.port, size))
        drop = ["setpriv", "--reuid", owner, "--clear-groups", "--"]
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
        self.program = harness.Program(
            (drop if os.geteuid() == 0 else []) + [program, path])
        test.addCleanup(self.program.kill)
        self.program.wait_log("listening on 127.0.0.1")
        self.url = "postgresql://spout@127.0.0.1:%d/spout?sslmode=disable" % self.port


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
