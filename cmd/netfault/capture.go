package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/capture"
)

func newCapture() *cobra.Command {
	var bundle, node string
	var length time.Duration
	cmd := &cobra.Command{
		Use:   "capture INTERFACE",
		Short: "Record who asks for connections on an interface of this machine, into a bundle",
		Long: `Record the SYNs, SYN-ACKs, FINs and resets that cross an interface of this machine, without promiscuous mode, into
BUNDLE/nodes/NODE/captures/INTERFACE.pcap, until Ctrl-C. On a node of a cluster, take the host-side interface of the pod
that does not answer ('ip route get POD_IP' names it). 'netfault detect' then judges it; so it does a capture by tcpdump.`,
		Example: `  sudo netfault capture cali1234 --bundle=bundle --node=$(uname -n)
  netfault detect --bundle=bundle`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one interface; `ip link` lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkCapture(cmd, args[0], bundle, node, length); err != nil {
				return usage(err)
			}
			if os.Geteuid() != 0 {
				return errors.New("captures need root: run it with sudo")
			}
			f, discard, err := newCaptureFile(bundle, node, args[0])
			if err != nil {
				return err
			}
			file := f.Name()
			stats, err := captureUntil(cmd, args[0], f, length, discard)
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d packets are in %s\n", stats.Packets, file)
			if stats.Dropped > 0 {
				return fmt.Errorf("the kernel dropped %d more: this machine was too busy, capture again", stats.Dropped)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&bundle, "bundle", "", "folder of the bundle")
	cmd.Flags().StringVar(&node, "node", "", "this machine's name in the bundle, as 'kubectl get nodes' has it")
	cmd.Flags().DurationVar(&length, "for", 0, "end by itself after this time, such as 30s")
	// The flags were registered in the lines above.
	_ = cmd.MarkFlagRequired("bundle")
	_ = cmd.MarkFlagRequired("node")
	_ = cmd.MarkFlagDirname("bundle")
	return cmd
}

// shortest is the shortest capture that says anything: a client asks again after a second.
const shortest = time.Second

// checkCapture returns an error for a capture that cannot be made or would tell nothing.
func checkCapture(cmd *cobra.Command, iface, bundle, node string, length time.Duration) error {
	if err := evidence.CheckNodeName(node); err != nil {
		return fmt.Errorf("--node: %w", err)
	}
	// 15 characters are what Linux allows (IFNAMSIZ).
	if err := evidence.CheckCaptureName(iface + captureEnding); err != nil || len(iface) > 15 {
		return fmt.Errorf("%.20q is not the name of an interface; `ip link` lists them", iface)
	}
	if cmd.Flags().Changed("for") && length < shortest {
		return fmt.Errorf("--for=%v: want %v or more; without it, Ctrl-C ends the capture", length, shortest)
	}
	nodes, err := os.ReadDir(filepath.Join(bundle, evidence.NodesDir))
	if err != nil || len(nodes) == 0 {
		return nil // a new bundle, or one to which this node is the first
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name())
	}
	if !slices.Contains(names, node) {
		return fmt.Errorf("--node=%s: %s has no such node; it has %s", node, shown(bundle), strings.Join(names, ", "))
	}
	return nil
}

// captureEnding is that of a capture's file.
const captureEnding = ".pcap"

// newCaptureFile makes the file of a capture and the folders above it, and returns what removes all that it made: a folder
// without a capture would be a node of which nothing is known.
func newCaptureFile(bundle, node, iface string) (f *os.File, discard func() error, err error) {
	file := filepath.Join(bundle, filepath.FromSlash(evidence.CaptureFile(node, iface+captureEnding)))
	var made []string
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, dir)
	}
	discard = func() error {
		var errs []error
		for _, path := range made {
			if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, nil, errors.Join(err, discard())
	}
	f, err = os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, nil, errors.Join(err, discard())
	}
	made = append([]string{file}, made...)
	return f, discard, nil
}

func captureUntil(cmd *cobra.Command, iface string, f *os.File, length time.Duration, discard func() error) (capture.Stats, error) {
	// Ctrl-C ends the capture well, so that everything that came by is in the file.
	c, err := capture.Start(context.WithoutCancel(cmd.Context()), iface, capture.Openings, f)
	if err != nil {
		return capture.Stats{}, errors.Join(err, discard())
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "capturing on %s; Ctrl-C ends it\n", iface)
	var over <-chan time.Time
	if length > 0 {
		timer := time.NewTimer(length)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-cmd.Context().Done():
	case <-over:
	}
	return c.Stop()
}
