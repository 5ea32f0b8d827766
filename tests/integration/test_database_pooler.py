# SPDX-License-Identifier: MIT
"""
The tests of PostgreSQL once more, behind pgbouncer in transaction mode. Those that look
at sessions of the server, which the pooler keeps as it likes, are not among them.
"""
import os
import re

import database
import harness
from harness import until

PROGRAMS = ("test_pg", "test_pg_lease", "test_pg_migrate", "test_pg_driver")


class DatabasePooler(harness.TestCase):
    limit_seconds = 120

    def test_the_suite_holds_in_transaction_mode(self):
        cluster = database.Database(self.folder(), "--set", "max_connections=60",
                                    "--set", "deadlock_timeout=50ms",
                                    "--set", "client_connection_check_interval=20ms")
        self.addCleanup(cluster.destroy)
        pooler = database.Pooler(self, cluster, 20)
        for program in PROGRAMS:
            path = os.path.join(harness.BUILD, "tests", "unit", program)
            until(lambda: cluster.value(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                " AND application_name LIKE 'test/w%'") == "0", 20, "nothing runs")
            with self.subTest(program=program):
                done = harness.command(path, seconds=60, check=False, env={
                    "SPOUT_TEST_DATABASE": cluster.url,
                    "SPOUT_TEST_POOLER": pooler.url})
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertGreater(len(re.findall(r"\.\.\.passed", done.stdout)), 5)
        self.assertGreater(len(re.findall("login attempt", pooler.program.log())), 30)
