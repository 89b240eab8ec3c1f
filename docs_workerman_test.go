package lineman_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// workermanNumbers are the behaviours that docs/from-workerman.md has a row for.
func workermanNumbers() (all []string) {
	for _, r := range []struct {
		letter      string
		first, last int
	}{
		{"W", 1, 9}, {"W", 20, 30}, {"P", 1, 10}, {"P", 20, 27}, {"P", 40, 46}, {"C", 1, 18}, {"C", 20, 27},
		{"U", 1, 9}, {"A", 1, 11}, {"H", 1, 10}, {"H", 20, 28}, {"S", 1, 13}, {"T", 1, 10}, {"K", 1, 10},
	} {
		for n := r.first; n <= r.last; n++ {
			all = append(all, fmt.Sprintf("%s-%d", r.letter, n))
		}
	}
	return slices.Insert(all, slices.Index(all, "P-45"), "P-44b")
}

var workermanRow = regexp.MustCompile(`(?m)^\| ([A-Z]-\w+) \| .+ \| ([^|]+) \| ([^|]+) \|$`)

// workermanComponents are those that have no numbers, and what users ask for by name.
const workermanComponents = "Channel GlobalData Crontab FileMonitor coroutines session -q"

// TestFromWorkerman wants a row for each number, a verdict in each, and a test that there is for what is kept or
// improved.
func TestFromWorkerman(t *testing.T) {
	text, err := os.ReadFile("docs/from-workerman.md")
	if err != nil {
		t.Fatal(err)
	}
	known := knownTests(t)
	var rows []string
	for _, row := range workermanRow.FindAllStringSubmatch(string(text), -1) {
		number, verdict, test := row[1], row[2], row[3]
		rows = append(rows, number)
		word, why, _ := strings.Cut(verdict, ": ")
		switch {
		case word == "not applicable":
			if why == "" || test != "-" {
				t.Errorf("%s: not applicable wants a reason, and no test", number)
			}
		case word != "kept" && (word != "improved" || why == ""):
			t.Errorf("%s: %q is no verdict", number, verdict)
		case !slices.Contains(known, test):
			t.Errorf("%s: there is no test %s", number, test)
		}
	}
	if want := workermanNumbers(); !slices.Equal(rows, want) {
		t.Errorf("the rows are %v, want %v", rows, want)
	}
	_, rest, _ := strings.Cut(string(text), "\n## What to take for the rest\n")
	for _, name := range strings.Fields(workermanComponents) {
		if !regexp.MustCompile(`(?m)^\| [^|]*` + name + `\b[^|]* \|`).MatchString(rest) {
			t.Errorf("nothing is said about %s", name)
		}
	}
}

// knownTests are the test functions of the whole tree, and the scripts of e2e.
func knownTests(t *testing.T) (names []string) {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(".", func(file string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasSuffix(file, "_test.go") {
			text, err := os.ReadFile(file)
			for _, m := range function.FindAllSubmatch(text, -1) {
				names = append(names, string(m[1]))
			}
			return err
		}
		if script, ok := strings.CutSuffix(filepath.Base(file), ".txtar"); ok {
			names = append(names, "script/"+script)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// gatewayMethods are those of GatewayWorker's class Gateway that projects call.
const gatewayMethods = `sendToAll sendToClient sendToCurrentClient sendToUid sendToGroup
	bindUid unbindUid joinGroup leaveGroup ungroup
	isOnline isUidOnline getClientIdByUid getUidByClientId getUidListByGroup getUidCountByGroup getAllUidList
	getAllUidCount getClientIdListByGroup getClientIdCountByGroup getClientCountByGroup getAllClientIdList
	getAllClientIdCount getAllClientCount
	getAllGroupIdList getAllGroupUidCount getAllGroupUidList getAllGroupClientIdCount getAllGroupClientIdList
	getClientSessionsByGroup getClientInfoByGroup getAllClientSessions getAllClientInfo
	setSession updateSession getSession setSocketSession
	closeClient closeCurrentClient destoryClient destoryCurrentClient`

// TestFromGatewayWorker wants a row for each method in docs/from-gatewayworker.md.
func TestFromGatewayWorker(t *testing.T) {
	text, err := os.ReadFile("docs/from-gatewayworker.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, line := range strings.Split(string(text), "\n") {
		if cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok {
			rows.WriteString(strings.ReplaceAll(cell, "($", "`"))
		}
	}
	for _, name := range strings.Fields(gatewayMethods) {
		if !strings.Contains(rows.String(), "`"+name+"`") {
			t.Errorf("no row for %s", name)
		}
	}
}
