package agent

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

func TestLargeProbe(t *testing.T) {
	answering := &Server{Name: "pod-n2", Log: io.Discard}
	server := httptest.NewServer(http.HandlerFunc(answering.handle))
	defer server.Close()
	target := Target{Kind: evidence.ProbeLarge, From: "n1", To: "n2", Address: server.Listener.Addr().String(), Expect: "pod-n2"}
	if p := probe(t.Context(), target); !p.OK || p.AnsweredBy != "pod-n2" || p.Seen != "127.0.0.1" {
		t.Errorf("got %+v", p)
	}
	target.Expect = "pod-n3"
	if p := probe(t.Context(), target); p.OK {
		t.Errorf("another server's answer passes: %+v", p)
	}
}
