# SPDX-License-Identifier: MIT
"""The database goes away, comes back, and clients do not wait for it."""
import subprocess
import threading
import time

import database
import harness
from harness import until
from load import Load, scaled
from test_faults import figure, now_ms

CONNECTIONS = 8


class DatabaseFaults(harness.TestCase):
    limit_seconds = 120

    def begin(self, cluster):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0",
                            "--db-connections", str(CONNECTIONS),
                            env={"DATABASE_URL": cluster.url})
        until(lambda: server.get("/db").status == 200, 20, "the tables are there")
        return server, server.workers()[0]

    def sessions(self, cluster):
        return int(cluster.value("SELECT count(*) FROM pg_stat_activity"
                                 " WHERE application_name LIKE 'spout-demo%'"))

    def use_all(self, server):
        """As many statements at once as there are connections; how long they took, ms."""
        statuses, began = [], now_ms()

        def ask():
            statuses.append(server.get("/db/sleep?ms=1000", timeout=20).status)

        clients = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(statuses, [200] * CONNECTIONS)
        return now_ms() - began

    def go_away_and_come_back(self, server, cluster):
        """Stop and start the cluster; milliseconds from its start to the first answer."""
        cluster.stop()
        def refused():
            answer = server.get("/db")
            return answer if answer.status == 503 else None

        answer = until(refused, 10, "503 while the database is down")
        self.assertRegex(answer.header("retry-after", ""), r"^\d+$")
        self.assertEqual(server.get("/plaintext").status, 200)
        cluster.start()
        began = now_ms()
        until(lambda: server.get("/db").status == 200, 10, "the database is used again")
        return now_ms() - began

    def test_a_database_that_stops_and_starts_under_load_is_found_again(self):
        cluster = database.Database(self.folder())
        self.addCleanup(cluster.destroy)
        server, worker = self.begin(cluster)
        self.use_all(server)
        before = harness.descriptors(worker)
        with Load(server, "/db", connections=16, seconds=8) as load:
            until(lambda: server.metric("spout_pg_queries_total") > 200, 10, "load")
            took = self.go_away_and_come_back(server, cluster)
            load.wait()
        figure("%d answers of /db, %d of 503; used again %.0f ms after its start",
               load.result["ok"], load.result["bad_status"], took)
        self.assertLess(took, 5000 * harness.SLOW)
        self.assertEqual(load.result["resets"] + load.result["refused"], 0)
        self.assertEqual(load.result["last_status"], 503)
        self.assertEqual(server.workers(), [worker])
        self.use_all(server)
        # One is the load's own last connection, which may still be lingering.
        self.assertLessEqual(harness.descriptors(worker), before + 1)
        self.assertLessEqual(self.sessions(cluster), CONNECTIONS)
        self.assertEqual(server.metric("spout_pg_connections_busy"), 0)

    def test_statements_of_clients_that_gave_up_are_cancelled(self):
        cluster = database.shared()
        server, worker = self.begin(cluster)
        self.use_all(server)
        before, count = harness.descriptors(worker), scaled(100)
        url = server.url + "/db/sleep?ms=30000"
        for _ in range(0, count, 10):
            impatient = [subprocess.Popen(["curl", "-s", "-m", "0.2", "-o",
                                           "/dev/null", url]) for _ in range(10)]
            for curl in impatient:
                curl.wait()
        time.sleep(1)  # what the issue allows for the last of them
        active = cluster.value("SELECT count(*) FROM pg_stat_activity"
                               " WHERE state = 'active' AND pid <> pg_backend_pid()"
                               " AND application_name LIKE 'spout-demo%'")
        self.assertEqual(active, "0")
        took = self.use_all(server)
        figure("%d given up: %s active after 1 s; then %d statements of 1 s took %.0f ms",
               count, active, CONNECTIONS, took)
        # Were one connection lost, the last would have had to wait for the first.
        self.assertLess(took, 1900 if harness.SLOW == 1 else 1e9)
        self.assertEqual(server.metric("spout_pg_connections_busy"), 0)
        self.assertLessEqual(harness.descriptors(worker), before + 1)
        self.assertLessEqual(self.sessions(cluster), CONNECTIONS)
