# SPDX-License-Identifier: MIT
"""Signed cookies go from Spout to Tornado and back, with keys that are rotated."""
import os
import random
import subprocess

import tornado.web

import harness

TOOL = os.path.join(harness.BUILD, "tests", "integration", "signed_values")
COUNT = 1000
NOW = 1700000000
DAY = 86400
KEYS = {version: "secret-%d-of-this-very-test" % version
        for version in (0, 3, 17, 4000000000)}


def ring(*versions):
    """The text of a cookie secret: the first version signs."""
    return "\n".join("%d %s" % (version, KEYS[version]) for version in versions)


def values(seed):
    """(name, value, seconds since 1970), of all sizes and of all bytes."""
    rng = random.Random(seed)
    for i in range(COUNT):
        name = "".join(rng.choice("abcXYZ019_-|:") for _ in range(rng.randrange(1, 30)))
        yield name, rng.randbytes(rng.choice((0, 1, 2, 3, rng.randrange(2000)))), \
            NOW - rng.randrange(31 * DAY)


def tornado_sign(name, value, when, version):
    text = tornado.web.create_signed_value(
        KEYS, name, value, version=2, clock=lambda: when, key_version=version)
    return text.decode("ascii")


def tornado_read(keys, name, text):
    return tornado.web.decode_signed_value(
        keys, name, text, max_age_days=31, clock=lambda: NOW, min_version=2)


class SignedValues(harness.TestCase):
    def tool(self, secrets, lines):
        text = "".join(line + "\n" for line in lines)
        done = subprocess.run([TOOL, secrets], input=text, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = done.stdout.splitlines()
        self.assertEqual(len(answers), len(lines))
        return answers

    def test_what_spout_signs_tornado_reads(self):
        given = list(values(1))
        for version in KEYS:
            others = [other for other in KEYS if other != version]
            texts = self.tool(ring(version, *others), [
                "sign %s %s %d" % (name, value.hex() or "-", when)
                for name, value, when in given])
            for (name, value, when), text in zip(given, texts):
                self.assertEqual(text, tornado_sign(name, value, when, version))
                self.assertEqual(tornado_read(KEYS, name, text), value)

    def test_what_tornado_signs_spout_reads(self):
        given = list(values(2))
        versions = list(KEYS)
        texts = [tornado_sign(name, value, when, versions[i % len(versions)])
                 for i, (name, value, when) in enumerate(given)]
        for signer in versions:
            others = [other for other in versions if other != signer]
            answers = self.tool(ring(signer, *others), [
                "read %s %s %d %d" % (name, text, NOW, 31 * DAY)
                for (name, _, _), text in zip(given, texts)])
            for (_, value, _), answer in zip(given, answers):
                self.assertEqual(answer, "= " + value.hex())

    def test_both_refuse_the_same(self):
        rng = random.Random(3)
        lines, theirs = [], []
        for i, (name, value, when) in enumerate(values(4)):
            text = tornado_sign(name, value, when - rng.choice((0, 0, 40 * DAY)),
                                rng.choice(list(KEYS)))
            if rng.random() < .5:  # one character changes
                at = rng.randrange(len(text))
                text = text[:at] + rng.choice("0123456789abcdef|:=") + text[at + 1:]
            if rng.random() < .1:
                name += "x"
            lines.append("read %s %s %d %d" % (name, text, NOW, 31 * DAY))
            got = tornado_read({k: KEYS[k] for k in (3, 17)}, name, text)
            theirs.append("no" if got is None else "= " + got.hex())
        self.assertEqual(self.tool(ring(3, 17), lines), theirs)
        self.assertGreater(theirs.count("no"), 300)
        self.assertGreater(len(theirs) - theirs.count("no"), 100)
