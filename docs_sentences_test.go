package lineman_test

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

// How long sentences of the documents may be, in words. Many who read them have learned English late: a sentence of
// more than maxWords is read twice, and a page whose mean is above maxMean is put away.
const (
	maxWords = 30
	maxMean  = 16.0
)

var (
	ignored  = regexp.MustCompile("(?ms)^```.*?^```$|<!--.*?-->")
	bullets  = regexp.MustCompile(`^(?:[-*]|\d+\.) +`)
	rulers   = regexp.MustCompile(`^\|[-:| ]+\|$`)
	pictures = regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)`)
	linked   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	ends     = regexp.MustCompile(`[.!?]["”)]?\s+`)
	cellEnds = regexp.MustCompile(`[.!?;]["”)]?\s+`)
	word     = regexp.MustCompile(`[\pL\pN_]`)
)

// TestDocSentences has README.md and the pages of docs speak in short sentences. Code, headings and lists of links
// are left out. In a table, where there is little room, a semicolon ends a sentence, and there is no mean.
func TestDocSentences(t *testing.T) {
	n := 0
	for file, text := range sources(t, ".md") {
		if file != "README.md" && path.Dir(file) != "docs" {
			continue
		}
		prose, cells := sentencesOf(string(text))
		sum := 0
		for _, s := range prose {
			sum += wordsIn(s)
		}
		if mean := float64(sum) / float64(max(len(prose), 1)); mean > maxMean {
			t.Errorf("%s: a sentence has %.1f words in the mean, more than %.0f", file, mean, maxMean)
		}
		for _, s := range append(prose, cells...) {
			if words := wordsIn(s); words > maxWords {
				t.Errorf("%s: %d words, more than %d: %s", file, words, maxWords, s)
			}
		}
		n += len(prose)
	}
	if n < 1000 {
		t.Errorf("found only %d sentences in the documents", n)
	}
}

// TestSentencesOf shows what counts as a sentence.
func TestSentencesOf(t *testing.T) {
	prose, cells := sentencesOf("# A heading\n\nIt has `two words` and\n[a link](docs/a.md). Is it? \"Yes.\" No\n\n" +
		"- first; still first\n- second\n\n- [a](#a) · [b](#b)\n\n```sh\nno code\n```\n\n| a | b. c; d |\n|---|---|\n")
	got := fmt.Sprintf("%q %q", prose, cells)
	want := `["It has code and a link." "Is it?" "\"Yes.\"" "No" "first; still first" "second"] ["a" "b." "c;" "d"]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// sentencesOf are the sentences of a document, and those in the cells of its tables. Code in them is one word.
func sentencesOf(text string) (prose, cells []string) {
	var block []string
	end := func() {
		if said := strings.Join(block, " "); !strings.Contains(said, " · ") {
			prose = append(prose, split(said, ends)...)
		}
		block = nil
	}
	for line := range strings.Lines(ignored.ReplaceAllString(text, "\n\n")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '|' || bullets.MatchString(line) {
			end()
		}
		switch {
		case line == "" || line[0] == '#' || rulers.MatchString(line):
		case line[0] == '|':
			row := strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "/")
			for cell := range strings.SplitSeq(row, "|") {
				cells = append(cells, split(cell, cellEnds)...)
			}
		default:
			block = append(block, bullets.ReplaceAllString(line, ""))
		}
	}
	end()
	return prose, cells
}

// split cuts what is written in Markdown behind each end of a sentence.
func split(text string, ends *regexp.Regexp) (found []string) {
	text = linked.ReplaceAllString(pictures.ReplaceAllString(text, ""), "$1")
	text = strings.ReplaceAll(inCode.ReplaceAllString(text, "code"), "**", "") + " "
	for text = strings.TrimLeft(text, " "); text != ""; {
		end := len(text)
		if at := ends.FindStringIndex(text); at != nil {
			end = at[1]
		}
		found = append(found, strings.TrimSpace(text[:end]))
		text = text[end:]
	}
	return found
}

func wordsIn(sentence string) (n int) {
	for _, w := range strings.Fields(sentence) {
		if word.MatchString(w) {
			n++
		}
	}
	return n
}
