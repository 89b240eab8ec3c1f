package doctor

import (
	"fmt"
	"io"
)

// Print writes findings for people: a line each, and the fix below it.
func Print(w io.Writer, all []Finding) error {
	width := 0
	for _, f := range all {
		width = max(width, len(f.Check))
	}
	for _, f := range all {
		if _, err := fmt.Fprintf(w, "%-4s  %-*s  %s\n", f.Verdict, width, f.Check, f.Found); err != nil {
			return err
		}
		if f.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "      fix: %s\n", f.Fix); err != nil {
			return err
		}
	}
	return nil
}
