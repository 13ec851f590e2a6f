package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/netfault/netfault/framework/engine"
)

// nodeName is the name of a node's container, which begins with its cluster's (pkg/cluster/internal/providers/common/namer.go, v0.33.0).
var nodeName = regexp.MustCompile("^(.+)-(?:control-plane|worker)[0-9]*$")

// looseVolumes returns, by lab, the volumes of nodes that no container uses. Under Podman kind makes a volume for a node's /var
// before the container, with the node's name as the key of its label, and removing the container leaves it, about 1 GB
// (pkg/cluster/internal/providers/podman: createAnonymousVolume, getVolumes, v0.33.0). With the other engines it belongs to the container.
func looseVolumes(ctx context.Context, e engine.Engine) (map[string][]string, error) {
	if e.Name != "podman" {
		return nil, nil
	}
	out, err := e.Output(ctx, "volume", "ls", "--filter", "dangling=true", "--format", "json")
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		return nil, err
	}
	var all []struct {
		Name   string
		Labels map[string]string
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("podman volume ls: %w", err)
	}
	volumes := map[string][]string{}
	for _, v := range all {
		for key := range v.Labels {
			if m := nodeName.FindStringSubmatch(key); m != nil && labOf(m[1]) != "" {
				volumes[labOf(m[1])] = append(volumes[labOf(m[1])], v.Name)
			}
		}
	}
	return volumes, nil
}

// removeVolumes removes what the lab's nodes had on disk, when their containers are gone.
func removeVolumes(ctx context.Context, e engine.Engine, name string) error {
	loose, err := looseVolumes(ctx, e)
	if err != nil || len(loose[name]) == 0 {
		return err
	}
	_, err = e.Output(ctx, append([]string{"volume", "rm"}, loose[name]...)...)
	return err
}
