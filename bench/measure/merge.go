//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// readReport reads the report in a folder; it is empty if there is none.
func readReport(folder string) (*report, error) {
	r := &report{}
	text, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(text, r)
}

// removeCharts removes those of a report.
func (r *report) removeCharts(folder string) error {
	for _, s := range r.Sections {
		for _, c := range s.Cases {
			err := os.Remove(filepath.Join(folder, fileName(c.Name)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// mergedWith is the report with what an older one has of cases that are not in this one.
func (r *report) mergedWith(old *report) *report {
	all := &report{Machine: r.Machine, LeftOut: slices.Clone(r.LeftOut)}
	for _, s := range scenarios {
		was, is := old.section(s.title), r.section(s.title)
		merged := section{Title: s.title, About: s.about}
		for _, c := range was.Cases {
			if i := is.find(c.Name); i >= 0 {
				c = is.Cases[i]
			}
			merged.Cases = append(merged.Cases, c)
		}
		for _, c := range is.Cases {
			if was.find(c.Name) < 0 {
				merged.Cases = append(merged.Cases, c)
			}
		}
		if len(merged.Cases) > 0 {
			all.Sections = append(all.Sections, merged)
		}
	}
	all.Machine.Versions = map[string]string{}
	maps.Copy(all.Machine.Versions, old.Machine.Versions)
	maps.Copy(all.Machine.Versions, r.Machine.Versions)
	for _, a := range old.LeftOut {
		if !slices.Contains(r.wanted, a.Program) {
			all.LeftOut = append(all.LeftOut, a)
		}
	}
	return all
}

// section is that of a title; empty if there is none.
func (r *report) section(title string) section {
	for _, s := range r.Sections {
		if s.Title == title {
			return s
		}
	}
	return section{}
}

// find is where the case of a name is, -1 if it is not there.
func (s section) find(name string) int {
	return slices.IndexFunc(s.Cases, func(o outcome) bool { return o.Name == name })
}
