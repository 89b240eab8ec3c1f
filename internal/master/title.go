//go:build unix

package master

import (
	"fmt"
	"strings"
)

const (
	longestTitle  = 15 // bytes that the kernel keeps of a name
	leastOfWorker = 3  // bytes of a worker's name that it is known by
)

// Title is a name for a process: that of its program, its worker and its number, such as "lineman pages/0". It fits
// into what the kernel keeps: the number whole, of the program what is needed to find it, and of the worker what there
// is room for.
func Title(program, worker string, id int) string {
	number := fmt.Sprintf("/%d", id)
	room := longestTitle - len(" ") - len(number)
	program = cut(program, room-min(len(worker), leastOfWorker))
	return program + " " + cut(worker, room-len(program)) + number
}

// cut is the beginning of a text, of so many bytes at the most.
func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), max(most, 0))], "")
}
