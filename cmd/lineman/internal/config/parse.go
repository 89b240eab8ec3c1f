package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parse makes the value of a setting from a text, which is that of a scalar in a file, of a variable, or of a flag. Its
// errors have the text, unless it is a secret.
func (s *setting) parse(text string) (any, error) {
	switch s.kind() {
	case "text":
		return text, nil
	case "true or false":
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%s: want true or false", quote(text))
		}
		return text == "true", nil
	case "duration":
		return parseDuration(text)
	case "size":
		return parseSize(text)
	case "whole number":
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, strconv.IntSize)
		if err != nil {
			return nil, numberError(text, "a whole number", err)
		}
		return int(n), nil
	case "number":
		f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, numberError(text, "a number", err)
		}
		return f, nil
	case "list":
		return parseList(text), nil
	}
	panic("config: " + s.key + " cannot be parsed from a text")
}

// parseList takes apart what is separated by commas. Nothing is an empty list.
func parseList(text string) []string {
	list := []string{}
	if strings.TrimSpace(text) == "" {
		return list
	}
	for _, part := range strings.Split(text, ",") {
		list = append(list, strings.TrimSpace(part))
	}
	return list
}

func parseDuration(text string) (any, error) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return d, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return nil, fmt.Errorf("%s has no unit: write %ss, or another of ms, s, m and h", quote(text), text)
	}
	return nil, fmt.Errorf("%s: want a duration, such as 10s, 500ms or 2m", quote(text))
}

// units of sizes, of which the later ones contain the first.
var units = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

func parseSize(text string) (any, error) {
	const want = "a size, such as 65536, 64KiB, 1MiB or 2GiB"
	digits, factor := text, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(digits, "_", ""), 10, 64)
	if err != nil {
		return nil, numberError(text, want, err)
	}
	if n > math.MaxInt/factor || n < math.MinInt/factor {
		return nil, numberError(text, want, strconv.ErrRange)
	}
	return int(n * factor), nil
}

func numberError(text, want string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is too large", quote(text))
	}
	return fmt.Errorf("%s: want %s", quote(text), want)
}
