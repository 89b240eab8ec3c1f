package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// image is what docs/deploy/Dockerfile says, which makes an image of files of its own: each instruction of its last
// stage, with the texts behind it.
type image struct {
	base   string   // of the stage that builds
	builds []string // the commands of that stage
	final  map[string][]string
}

func readImage(t *testing.T) image {
	t.Helper()
	build, final, ok := strings.Cut(read(t, "../docs/deploy/Dockerfile"), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the image has a base: want scratch")
	}
	i := image{final: map[string][]string{}}
	for line := range strings.Lines(build) {
		switch instruction, text, _ := strings.Cut(strings.TrimSpace(line), " "); instruction {
		case "FROM":
			i.base, _, _ = strings.Cut(text, " ")
		case "RUN":
			i.builds = append(i.builds, text)
		}
	}
	for line := range strings.Lines(final) {
		instruction, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		i.final[instruction] = append(i.final[instruction], text)
	}
	return i
}

// list is the list that the only text behind an instruction ends with.
func (i image) list(t *testing.T, instruction string) (list []string) {
	t.Helper()
	texts := i.final[instruction]
	if len(texts) != 1 {
		t.Fatalf("the Dockerfile has %d of %s", len(texts), instruction)
	}
	if err := json.Unmarshal([]byte(texts[0][strings.Index(texts[0], "["):]), &list); err != nil {
		t.Fatalf("%s %s: %v", instruction, texts[0], err)
	}
	return list
}

// make makes the files of the image in a folder, and returns how many bytes they have.
func (i image) make(t *testing.T, root string) (bytes int64) {
	t.Helper()
	built := t.TempDir()
	for _, command := range i.builds {
		cmd := exec.Command("sh", "-c", strings.ReplaceAll(command, "/image", built))
		cmd.Dir = ".."
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, said)
		}
	}
	for _, text := range i.final["COPY"] {
		words := regexp.MustCompile(`^--from=build (?:--chown=(\d+:\d+) )?(\S+) (\S+)$`).FindStringSubmatch(text)
		if words == nil {
			t.Fatalf("COPY %s is not understood here", text)
		}
		from, to := strings.Replace(words[2], "/image", built, 1), filepath.Join(root, words[3])
		output(t, "", "mkdir", "-p", filepath.Dir(to))
		output(t, "", "cp", "-R", from, to)
		if words[1] != "" {
			output(t, "", "chown", "-R", words[1], to)
		}
	}
	err := filepath.Walk(root, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// command is a command in a container of the image: it sees the files of the image alone, and is its user.
func (i image) command(root string, args ...string) *exec.Cmd {
	user, group, _ := strings.Cut(i.final["USER"][0], ":")
	cmd := exec.Command("unshare", append([]string{
		"--mount", "--mount-proc", "--root=" + root, "--wd=" + i.final["WORKDIR"][0], "--setgid=" + group,
		"--setuid=" + user,
	}, args...)...)
	for _, variables := range i.final["ENV"] {
		cmd.Env = append(cmd.Env, strings.Fields(variables)...)
	}
	return cmd
}

// TestImage makes the files of the image as its Dockerfile says, adds them up, and runs the program with them alone: it
// serves, says how it is, takes commands and ends.
func TestImage(t *testing.T) {
	t.Parallel()
	need(t, "unshare")
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		missing(t, "a container wants Linux and root")
	}
	i, root := readImage(t), t.TempDir()
	needs := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	if i.base != "golang:"+needs[1] {
		t.Errorf("it is built by %s, want Go %s as go.mod says", i.base, needs[1])
	}
	const limit = 20_000_000
	size := i.make(t, root)
	t.Logf("the image has %.1f MB", float64(size)/1e6)
	if size > limit {
		t.Errorf("the image has %d bytes, more than %d", size, limit)
	}
	pages := free(t)
	settings := filepath.Join(root, "etc/lineman/lineman.yaml")
	output(t, "", "mkdir", "-p", root+"/proc", root+"/dev", filepath.Dir(settings))
	write(t, root+"/dev/null", "") // a container has both folders
	write(t, settings, fmt.Sprintf("listen: %s\ntext: {listen: 127.0.0.1:0}\napi: {listen: 127.0.0.1:0}\n"+
		"admin: {listen: 127.0.0.1:0}\ntoken: {secrets: [0123456789abcdef0123456789abcdef]}\n", pages))
	if err := os.Chmod(settings, 0o644); err != nil {
		t.Fatal(err)
	}
	entry, health := i.list(t, "ENTRYPOINT"), i.list(t, "HEALTHCHECK")
	server := launch(t, i.command(root, append(entry, i.list(t, "CMD")...)...))
	server.find(`pages on ws://` + pages)
	linemantest.Until(t, "it is not healthy", func() bool {
		said, err := i.command(root, health...).CombinedOutput()
		return err == nil && string(said) == "ok\n"
	})
	said, err := i.command(root, append(entry, "status")...).CombinedOutput()
	if err != nil || !regexp.MustCompile(`\[(idle|busy)\]`).Match(said) {
		t.Errorf("status: %v: %s", err, said)
	}
	if code := server.stop(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	if said, err := i.command(root, health...).CombinedOutput(); err == nil {
		t.Errorf("it has ended, and is healthy: %s", said)
	}
}
