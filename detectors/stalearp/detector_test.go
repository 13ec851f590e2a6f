package stalearp

import (
	"testing"

	"github.com/netfault/netfault/detectors/detectortest"
)

func TestDetector(t *testing.T) { detectortest.Run(t, Detector) }
