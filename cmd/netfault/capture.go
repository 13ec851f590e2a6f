package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
			if os.Geteuid() != 0 {
				return errors.New("captures need root: run it with sudo")
			}
			if err := evidence.CheckNodeName(node); err != nil {
				return fmt.Errorf("--node: %w", err)
			}
			file := filepath.Join(bundle, filepath.FromSlash(evidence.CaptureFile(node, args[0]+".pcap")))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return err
			}
			stats, err := captureUntil(cmd, args[0], f, length)
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
	cmd.Flags().StringVar(&node, "node", "", "this machine's name in the bundle, as `kubectl get nodes` has it")
	cmd.Flags().DurationVar(&length, "for", 0, "end by itself after this time, such as 30s")
	// The flags were registered in the lines above.
	_ = cmd.MarkFlagRequired("bundle")
	_ = cmd.MarkFlagRequired("node")
	_ = cmd.MarkFlagDirname("bundle")
	return cmd
}

func captureUntil(cmd *cobra.Command, iface string, f *os.File, length time.Duration) (capture.Stats, error) {
	// Ctrl-C ends the capture well, so that everything that came by is in the file.
	c, err := capture.Start(context.WithoutCancel(cmd.Context()), iface, capture.Openings, f)
	if err != nil {
		return capture.Stats{}, errors.Join(err, os.Remove(f.Name()))
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
