// Package framework holds what scenarios are made with: labs, the life of a fault, probes and the way back.
package framework
