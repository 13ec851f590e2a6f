package report

import (
	"encoding/xml"
	"io"

	"github.com/netfault/netfault/framework/gate"
)

// junitSuites is the form that CI systems read: a suite for each bundle, and in it a case for each detector.
type junitSuites struct {
	XMLName xml.Name      `xml:"testsuites"`
	Suites  []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr,omitempty"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitProblem `xml:"failure,omitempty"`
	Error   *junitProblem `xml:"error,omitempty"`
	Skipped *junitSkipped `xml:"skipped,omitempty"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
}

// GateJUnit writes a result as JUnit's XML: a cell that is not as it should be is a failure, and one without an answer an error.
func GateJUnit(w io.Writer, r gate.Result) error {
	var all junitSuites
	var suite *junitSuite
	for _, c := range r.Cells {
		if name := c.Bundle.String(); suite == nil || suite.Name != name {
			suite = &junitSuite{Name: name}
			all.Suites = append(all.Suites, suite)
		}
		test := junitCase{Name: c.Detector, Class: suite.Name}
		suite.Tests++
		switch {
		case c.Right:
		case c.Was == gate.Error:
			suite.Errors++
			test.Error = &junitProblem{Message: c.Why, Type: string(c.Was)}
		default:
			suite.Failures++
			test.Failure = &junitProblem{Message: c.Why, Type: string(c.Was)}
		}
		suite.Cases = append(suite.Cases, test)
	}
	if remedies := remediesSuite(r); remedies.Tests > 0 {
		all.Suites = append(all.Suites, remedies)
	}
	if unreached := unreachedSuite(r); unreached.Tests > 0 {
		all.Suites = append(all.Suites, unreached)
	}
	if differing := differingSuite(r); differing.Tests > 0 {
		all.Suites = append(all.Suites, differing)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	return enc.Encode(all)
}

// differingSuite has the cells that differ between rounds, which fail even if the first round is right.
func differingSuite(r gate.Result) *junitSuite {
	s := &junitSuite{Name: "the same in every round"}
	for _, d := range r.Differing {
		s.Tests++
		s.Failures++
		s.Cases = append(s.Cases, junitCase{
			Name: d.Detector, Class: d.Bundle.String(),
			Failure: &junitProblem{Message: "it differs between rounds", Type: "differs"},
		})
	}
	return s
}

// unreachedSuite has the phases that no lab came to, each an error, and the faults that cannot come about, each skipped.
func unreachedSuite(r gate.Result) *junitSuite {
	s := &junitSuite{Name: "every phase is come to"}
	for _, a := range r.Unreached {
		s.Tests++
		s.Errors++
		s.Cases = append(s.Cases, junitCase{Name: a.Bundle.Phase, Class: a.Bundle.String(), Error: &junitProblem{Message: a.Why, Type: "unreached"}})
	}
	for _, a := range r.Skipped {
		s.Tests++
		s.Skipped++
		s.Cases = append(s.Cases, junitCase{Name: "skipped", Class: a.Bundle.String(), Skipped: &junitSkipped{Message: a.Why}})
	}
	return s
}

// remediesSuite has the remedies that were run: one that does not heal, or not without damage, fails.
func remediesSuite(r gate.Result) *junitSuite {
	s := &junitSuite{Name: "every remedy heals"}
	for i, line := range remedied(r) {
		m := r.Remedied[i]
		test := junitCase{Name: "remedy", Class: m.Bundle.String()}
		s.Tests++
		if !m.Right() {
			s.Failures++
			test.Failure = &junitProblem{Message: line, Type: string(m.Was)}
		}
		s.Cases = append(s.Cases, test)
	}
	return s
}
