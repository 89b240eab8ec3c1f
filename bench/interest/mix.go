package main

import (
	"strconv"
	"strings"
)

// part of a mix.
type part struct {
	kind    string
	percent float64
}

// split takes apart what is written as uid=70,all=30. A part that cannot be read has no kind.
func split(mix string) (all []part) {
	for _, text := range strings.Split(mix, ",") {
		kind, number, _ := strings.Cut(text, "=")
		percent, err := strconv.ParseFloat(number, 64)
		if err != nil || percent < 0 {
			kind = ""
		}
		all = append(all, part{kind, percent})
	}
	return all
}
