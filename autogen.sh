#!/bin/sh
# SPDX-License-Identifier: MIT
# Generates configure and Makefile.in. Run once after a checkout.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force
