package page

import (
	"net"
	"net/http"
	"slices"
)

// policy allows what comes from the page's own address, and nothing else. xterm.js writes its colours and sizes as styles (6.0, DOM
// renderer).
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// headers are those of every answer.
var headers = map[string]string{
	"Content-Security-Policy":      policy,
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// guard lets requests pass that are for this page by its own name, and from itself.
type guard struct {
	// hosts are the names with the port by which it may be called.
	hosts []string
	next  http.Handler
}

func newGuard(port string, next http.Handler) guard {
	var hosts []string
	for _, name := range []string{loopback, "::1", "localhost"} {
		hosts = append(hosts, net.JoinHostPort(name, port))
	}
	return guard{hosts: hosts, next: next}
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	switch {
	case !slices.Contains(g.hosts, r.Host):
		// Another name that leads here is one that somebody else has pointed here.
		http.Error(w, "this page is called "+g.hosts[0], http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet:
		http.Error(w, "nothing but GET", http.StatusMethodNotAllowed)
	case isUpgrade(r) && r.Header.Get("Origin") != "http://"+r.Host:
		http.Error(w, "sockets are for the page itself", http.StatusForbidden)
	default:
		g.next.ServeHTTP(w, r)
	}
}

func isUpgrade(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }
