package main

import (
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
)

// writeArchive makes the image of the node's root file system, with what kind's own images say of themselves (kind
// v0.33.0, images/base/Dockerfile).
func (b builder) writeArchive(stamp string) error {
	say("node image")
	layer, err := tarball.LayerFromFile(b.nodeTar())
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return err
	}
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"container=docker", // systemd asks for it
	}
	file.Config.Entrypoint = []string{"/usr/local/bin/entrypoint", "/sbin/init"}
	file.Config.StopSignal = "SIGRTMIN+3" // systemd's for an orderly halt
	file.Config.Labels = map[string]string{nodeimage.StampLabel: stamp}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return err
	}
	tag, err := name.NewTag(nodeimage.Reference)
	if err != nil {
		return err
	}
	// The stamp goes first and comes last, so that a build cut off never looks like a whole one.
	if err := removeIfThere(b.archive + ".stamp"); err != nil {
		return err
	}
	if err := tarball.WriteToFile(b.archive+".partial", tag, image); err != nil {
		return err
	}
	if err := os.Rename(b.archive+".partial", b.archive); err != nil {
		return err
	}
	return os.WriteFile(b.archive+".stamp", []byte(stamp), 0o644)
}
