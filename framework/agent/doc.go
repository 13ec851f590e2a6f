// Package agent is what runs inside the machines and pods of a lab: the first process of a machine of the embedded
// lab, which keeps its services and pods; the server and the client of the probes; and the programs that read,
// compare and restore a machine's network state. It is built as one small static program, cmd/netfault-agent, which
// needs nothing of the machine that it runs in.
package agent
