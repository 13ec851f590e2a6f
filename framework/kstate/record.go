package kstate

import (
	"context"
	"errors"
)

// Record takes the state of the current network namespace. The error says which part could not be read; there is no
// state then.
func Record(ctx context.Context) (State, error) {
	return recordParts(ctx, func(s *State) (err error) {
		if s.Offloads, err = readOffloads(); err != nil {
			return err
		}
		s.Sysctls, err = readSysctls(ctx)
		return err
	})
}

// RecordTables is Record without settings, the sysctls and offloads: what network programs write to all the time. Settings are most of
// the work, a thousand files in a namespace.
func RecordTables(ctx context.Context) (State, error) {
	return recordParts(ctx, func(*State) error { return nil })
}

// recordParts reads the tables, and meanwhile the settings.
func recordParts(ctx context.Context, settings func(*State) error) (State, error) {
	saves, err := startSaves(ctx)
	if err != nil {
		return State{}, err
	}
	// The iptables programs run meanwhile.
	s := State{Version: Version}
	err = s.readNetlink()
	if err == nil {
		err = settings(&s)
	}
	tables, saveErr := wait(saves)
	if err = errors.Join(err, saveErr); err != nil {
		return State{}, err
	}
	s.IPTables = tables
	return s, nil
}

func (s *State) readNetlink() (err error) {
	if s.Links, err = readLinks(); err != nil {
		return err
	}
	n := s.names()
	if s.Addresses, err = readAddresses(n); err != nil {
		return err
	}
	if s.Routes, err = readRoutes(n); err != nil {
		return err
	}
	if s.Neighbours, err = readNeighbours(n); err != nil {
		return err
	}
	if s.FDB, err = readFDB(n, s.Links); err != nil {
		return err
	}
	if s.Rules, err = readRules(n); err != nil {
		return err
	}
	s.Qdiscs, s.Filters, err = readQdiscs(n)
	return err
}
