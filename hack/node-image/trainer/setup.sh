#!/bin/sh
# Runs once inside the root file system of the trainer's image, behind Debian's packages.
set -eu

NETFAULT_CACHE=/root/.cache/netfault /fetch-dockerd
# What dockerd does not start by itself: its client, and others' tools.
cd /root/.cache/netfault/docker
rm -rf usr/bin/docker usr/bin/dnet usr/bin/ctr usr/bin/containerd-shim usr/bin/containerd-shim-runc-v1 usr/sbin/ovrouter usr/share lib/systemd

# The last two are the building machine's; a container gets its own.
rm -f /fetch-dockerd /setup.sh /etc/resolv.conf /etc/hostname
