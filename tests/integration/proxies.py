# SPDX-License-Identifier: MIT
"""
nginx and HAProxy on loopback, run with the configuration files of deploy/.

The files are used as they are but for the addresses: `replace` maps texts of the file to
what stands there instead, and a text that the file does not hold is an error.
"""
import os
import pwd
import shutil
import socket

import harness


def free_port():
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(address):
    """Whether somebody listens there."""
    try:
        with socket.create_connection(address, timeout=2):
            return True
    except OSError:
        return False


def configuration(name, replace):
    """The text of deploy/NAME with its addresses replaced."""
    with open(os.path.join(harness.TOP, "deploy", name)) as file:
        text = file.read()
    for old, new in replace.items():
        if old not in text:
            raise harness.Broken("deploy/%s does not hold %r" % (name, old))
        text = text.replace(old, new)
    return text


class Proxy(harness.Program):
    """What the two have in common: a port, a folder, and how they end."""

    def __init__(self, argv, port):
        self.address = ("127.0.0.1", port)
        super().__init__(argv, env=harness.clean_environment({}))
        try:
            harness.until(lambda: accepts(self.address) or not self.alive(), 20,
                          "%s accepts connections" % self.name)
            if not self.alive():
                raise harness.Broken("%s did not start:\n%s" % (self.name, self.log()))
        except harness.Broken:
            self.kill()
            raise

    def connect(self, timeout=20):
        return harness.Connection(self.address, timeout=timeout * harness.SLOW)

    def stop(self):
        if self.alive():
            self.process.terminate()
        self.wait(20)


def start_nginx(test, upstream, replace=None):
    """nginx with deploy/nginx.conf in front of (host, port); stopped with the test."""
    folder, port = test.folder(), free_port()
    changes = {"127.0.0.1:8888": "%s:%d" % upstream,
               "listen 80;": "listen 127.0.0.1:%d;" % port,
               "listen [::]:80;": ""}
    changes.update(replace or {})
    with open(folder + "/site.conf", "w") as file:
        file.write(configuration("nginx.conf", changes))
    os.mkdir(folder + "/temp")
    user = ""
    if os.getuid() == 0:
        entry = pwd.getpwnam("nobody")
        os.chown(folder + "/temp", entry.pw_uid, entry.pw_gid)
        user = "user nobody nogroup;"
    with open(folder + "/nginx.conf", "w") as file:
        file.write("""
            %s daemon off; worker_processes 1; pid nginx.pid; error_log stderr info;
            events { worker_connections 1024; }
            http {
                access_log off;
                client_body_temp_path temp; proxy_temp_path temp;
                fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
                include site.conf;
            }
            """ % user)
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    nginx = Proxy([program, "-e", "stderr", "-p", folder, "-c", "nginx.conf"], port)
    test.addCleanup(nginx.stop)
    return nginx


def start_haproxy(test, upstream, replace=None):
    """HAProxy with deploy/haproxy.cfg in front of (host, port); stopped with the test."""
    folder, port = test.folder(), free_port()
    changes = {"127.0.0.1:8888": "%s:%d" % upstream,
               "bind :80": "bind 127.0.0.1:%d" % port,
               "maxconn 20000": "maxconn 500"}  # needs two descriptors for each
    changes.update(replace or {})
    with open(folder + "/haproxy.cfg", "w") as file:
        file.write(configuration("haproxy.cfg", changes))
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    haproxy = Proxy([program, "-db", "-f", folder + "/haproxy.cfg"], port)
    test.addCleanup(haproxy.stop)
    return haproxy
