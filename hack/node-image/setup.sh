#!/bin/sh
# Runs once inside the root file system of the node image, after Debian's packages, kind's files and the binaries are
# in place: what kind's own Dockerfile does for its base image (kind v0.33.0, images/base/Dockerfile), and the import of
# the component images.
set -eu

# No service of Debian's own; kind's entrypoint starts systemd as /sbin/init.
rm -f /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \
	/lib/systemd/system/multi-user.target.wants/* \
	/lib/systemd/system/local-fs.target.wants/* \
	/lib/systemd/system/sockets.target.wants/*udev* \
	/lib/systemd/system/sockets.target.wants/*initctl* \
	/lib/systemd/system/basic.target.wants/* \
	/etc/systemd/system/*.wants/*
echo "ReadKMsg=no" >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init

# kind's unit starts /usr/local/bin/containerd; Debian's is elsewhere, and so is its unit.
rm -f /lib/systemd/system/containerd.service
ln -s /usr/bin/containerd /usr/local/bin/containerd
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service
mkdir -p /etc/kubernetes/manifests

ctr oci spec |
	jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
		>/etc/containerd/cri-base.json

# The images are unpacked by each node when it first needs them.
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >/tmp/import.toml
containerd --config /tmp/import.toml >/tmp/import.log 2>&1 &
containerd=$!
tries=0
until ctr version >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ $tries -gt 150 ] || ! kill -0 $containerd; then
		cat /tmp/import.log >&2
		echo "containerd does not start in the root file system" >&2
		exit 1
	fi
	sleep 0.2
done
ctr --namespace=k8s.io images import --label=io.cri-containerd.pinned=pinned --no-unpack /kind/components.tar >/dev/null
kill $containerd
wait $containerd || true

rm -rf /kind/components.tar /kind/setup.sh /tmp/import.toml /tmp/import.log /run/containerd
