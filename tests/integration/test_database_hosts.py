# SPDX-License-Identifier: MIT
"""Which database server a program talks to: several of them, and TLS."""
import json
import os
import re
import shutil
import threading
import time

import database
import harness
from harness import until
from test_faults import figure, now_ms

PROGRAM = os.path.join(harness.BUILD, "tests", "integration", "pooled")
TABLE = "CREATE TABLE notes (id bigserial PRIMARY KEY, text text)"


def port_of(cluster):
    return re.search(r":(\d+)/", cluster.tcp_url()).group(1)


class Writer(threading.Thread):
    """Writes one note after the other; what became of each, in order."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.answers = []  # (status, port or None, when in ms, how long it took in ms)
        self.stop = threading.Event()
        self.start()

    def run(self):
        while not self.stop.is_set():
            began = now_ms()
            answer = self.server.get("/write", timeout=30)
            port = json.loads(answer.text)["port"] if answer.status == 200 else None
            self.answers.append((answer.status, port, now_ms(), now_ms() - began))
            time.sleep(0.002)

    def written_at(self, port):
        return [answer for answer in self.answers if answer[1] == port]


class DatabaseHosts(harness.TestCase):
    limit_seconds = 120

    def cluster(self, *options):
        cluster = database.Database(self.folder(), "--port", "0", *options)
        self.addCleanup(cluster.destroy)
        return cluster

    def pair(self):
        """A primary with the table, and its standby, which has it, too."""
        primary = self.cluster()
        primary.query(TABLE)
        standby = primary.standby(self.folder(), "--port", "0")
        self.addCleanup(standby.destroy)
        return primary, standby

    def urls(self, *clusters, more=""):
        word = re.search(r":([0-9a-f]+)@", clusters[0].tcp_url()).group(1)
        hosts = ",".join("127.0.0.1:" + port_of(cluster) for cluster in clusters)
        return "postgresql://spout:%s@%s/spout?sslmode=disable%s" % (word, hosts, more)

    def begin(self, url, *args):
        return self.start("--processes", "1", "--admin", "127.0.0.1:0", "--database", url,
                          "--db-connections", "4", *args, program=PROGRAM)

    def leave_the_standby(self, primary, standby):
        """Nothing is said of what is wanted: any will do, until it will not write."""
        server = self.begin(self.urls(standby, primary))
        there, elsewhere = port_of(primary), port_of(standby)
        self.assertEqual(json.loads(server.get("/read").text)["port"], elsewhere)
        answer = server.get("/write")
        self.assert_status(answer, 200)
        self.assertEqual(json.loads(answer.text)["port"], there)
        self.assertEqual(json.loads(server.get("/read").text)["port"], there)
        server.wait_log("the database server is a standby")
        server.stop()
        # What is more than one statement is not run again, but the next one finds it.
        server = self.begin(self.urls(standby, primary))
        self.assertEqual(json.loads(server.get("/read").text)["port"], elsewhere)
        self.assert_status(server.get("/transaction"), 503)
        answer = server.get("/transaction")
        self.assert_status(answer, 200)
        self.assertEqual(json.loads(answer.text)["port"], there)
        server.stop()

    def fail_over(self, primary, standby):
        server = self.begin(self.urls(primary, standby,
                                      more="&target_session_attrs=read-write"))
        writer = Writer(server)
        before, after = port_of(primary), port_of(standby)
        until(lambda: len(writer.written_at(before)) > 20, 20, "writes to the primary")
        primary.stop()
        until(lambda: writer.answers[-1][0] == 503, 20, "503 while there is no primary")
        standby.promote()
        promoted = now_ms()
        until(lambda: len(writer.written_at(after)) > 20, 30, "writes to the new one")
        writer.stop.set()
        writer.join()
        longest = max(answer[3] for answer in writer.answers)
        took = writer.written_at(after)[0][2] - promoted
        figure("%d writes before, %d after, %d answers of 503, the longest took %.0f ms;"
               " written again %.0f ms after the promotion",
               len(writer.written_at(before)), len(writer.written_at(after)),
               len([a for a in writer.answers if a[0] == 503]), longest, took)
        self.assertEqual({answer[0] for answer in writer.answers}, {200, 503})
        self.assertLess(took, 10000 * harness.SLOW)
        self.assertLess(longest, 10000 * harness.SLOW)
        for way in ("/read", "/function", "/transaction"):
            self.assertEqual(json.loads(server.get(way).text)["port"], after)
        self.assertEqual(server.metric("spout_pg_connections_busy"), 0)

    def test_a_standby_is_left_and_a_new_primary_is_found(self):
        primary, standby = self.pair()
        self.leave_the_standby(primary, standby)
        self.fail_over(primary, standby)

    def certify(self, cluster, name):
        """Have a cluster speak TLS as `name`; returns the certificate."""
        with open(os.path.join(cluster.folder, "place")) as file:
            place = file.read().strip()
        with open(os.path.join(cluster.folder, "owner")) as file:
            owner = file.read().strip()
        key, cert = os.path.join(place, "server.key"), os.path.join(place, "server.crt")
        harness.command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                        "-days", "2", "-subj", "/CN=" + name,
                        "-addext", "subjectAltName=DNS:" + name,
                        "-keyout", key, "-out", cert)
        os.chmod(key, 0o600)
        if os.geteuid() == 0:
            shutil.chown(key, owner)
            shutil.chown(cert, owner)
        cluster.query("ALTER SYSTEM SET ssl_key_file = '%s'" % key)
        cluster.query("ALTER SYSTEM SET ssl_cert_file = '%s'" % cert)
        cluster.query("ALTER SYSTEM SET ssl = on")
        cluster.restart()
        return cert

    def change_password(self, cluster):
        path = os.path.join(self.folder(), "password")
        url = self.urls(cluster)
        word = re.search(r":([0-9a-f]+)@", url).group(1)
        with open(path, "w") as file:
            file.write(word + "\n")
        server = self.begin(url.replace(":" + word, ""), "--db-password-file", path,
                            "--db-max-lifetime", "1ms")
        self.assert_status(server.get("/read"), 200)
        with open(path, "w") as file:
            file.write("newer\n")
        cluster.query("ALTER ROLE spout PASSWORD 'newer'")
        self.assert_status(server.get("/read"), 200)

    def verify(self, cluster):
        cert = self.certify(cluster, "localhost")
        url = self.urls(cluster).replace("127.0.0.1", "%s").replace(
            "sslmode=disable", "sslmode=verify-full&sslrootcert=" + cert)
        server = self.begin(url % "localhost")
        self.assert_status(server.get("/read"), 200)
        self.assertGreater(int(cluster.value(
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            " WHERE ssl AND application_name = 'pooled/w0'")), 0)
        # Another name, and another authority.
        server = self.begin(url % "127.0.0.1")
        self.assert_status(server.get("/read"), 503)
        server.wait_log("the database is down: .*does not match host name")
        other = os.path.join(self.folder(), "other.crt")
        harness.command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                        "-days", "2", "-subj", "/CN=other", "-keyout", other + ".key",
                        "-out", other)
        server = self.begin((url % "localhost").replace(cert, other))
        self.assert_status(server.get("/read"), 503)
        server.wait_log("the database is down: .*certificate verify failed")

    def restart_in_a_pause(self, cluster):
        server = self.begin(self.urls(cluster), "--processes", "2")
        self.assert_status(server.request("POST", "/database/stop", body=b"",
                                          address=server.admin), 404)
        writers = [Writer(server) for _ in range(4)]
        until(lambda: all(len(w.answers) > 5 for w in writers), 20, "writes")

        def order(what):
            answer = server.request("POST", "/database/" + what, body=b"",
                                    address=server.admin)
            self.assert_status(answer, 200)

        order("pause")
        until(lambda: server.metric("spout_pg_connections_open") == 0, 20,
              "every connection is closed")
        until(lambda: server.metric("spout_pg_waiting") == 4, 20, "all writers wait")
        cluster.restart()
        before = [len(writer.answers) for writer in writers]
        order("resume")
        until(lambda: all(len(w.answers) > n + 5 for w, n in zip(writers, before)),
              20, "writes after the pause")
        closed = server.metric("spout_pg_closed_old_total")
        order("reconnect")
        until(lambda: server.metric("spout_pg_closed_old_total") > closed, 20,
              "connections are replaced")
        for writer in writers:
            writer.stop.set()
            writer.join()
            self.assertEqual({answer[0] for answer in writer.answers}, {200})
        server.stop()

    def test_pauses_tls_and_passwords(self):
        cluster = self.cluster()
        cluster.query(TABLE)
        self.restart_in_a_pause(cluster)
        self.verify(cluster)
        self.change_password(cluster)
