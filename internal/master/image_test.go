//go:build unix

package master

import "fmt"

// playProgramPath says where a program is that was started by these names.
func playProgramPath(args []string) error {
	for _, arg0 := range args {
		path, err := ProgramPath(arg0)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
