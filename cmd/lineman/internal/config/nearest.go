package config

// nearest is the word among all that a misspelt one may have been meant for, or "".
func nearest(word string, all []string) string {
	const longest = 64 // of what may be a misspelt name
	if len(word) > longest {
		return ""
	}
	found, least := "", 2+min(len(word)/4, 2)
	for _, w := range all {
		if d := distance(word, w); d < least && d < len(w) {
			found, least = w, d
		}
	}
	return found
}

// distance is how many characters have to be inserted, deleted, replaced or swapped with their neighbour to make b of
// a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			differs := 1
			if a[i] == b[j] {
				differs = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+differs)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
