package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// gatewayEvents is the Events.php of a project of GatewayWorker.
const gatewayEvents = `<?php
use GatewayWorker\Lib\Gateway;
use Workerman\Timer;

class Events
{
    public static function onWorkerStart($worker)
    {
        Timer::add(0.05, function () { file_put_contents(__DIR__ . '/timer', 'x', FILE_APPEND); });
    }
    public static function onConnect($client_id)
    {
        Gateway::sendToCurrentClient("welcome $client_id {$_SERVER['REMOTE_ADDR']}");
    }
    public static function onMessage($client_id, $message)
    {
        $said = json_decode($message, true);
        switch ($said['type'] ?? '') {
            case 'login':
                $_SESSION = ['name' => $said['name'], 'room' => $said['room']];
                Gateway::bindUid($client_id, $said['uid']);
                Gateway::joinGroup($client_id, $said['room']);
                return Gateway::sendToGroup($said['room'], "$said[name] came in");
            case 'count':
                $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
                return Gateway::sendToCurrentClient("count $_SESSION[count]");
            case 'to':
                return Gateway::sendToUid($said['uid'], "$_SESSION[name]: $said[text]");
            case 'who':
                return Gateway::sendToCurrentClient(json_encode([
                    Gateway::getUidByClientId($client_id), Gateway::isUidOnline(8), Gateway::isUidOnline(9),
                    count(Gateway::getClientIdByUid(7)), Gateway::getUidListByGroup($_SESSION['room']),
                    Gateway::getSession($client_id)['name'], Gateway::getAllGroupIdList(),
                ]));
            case 'throw':
                throw new RuntimeException('a mistake');
            default:
                return Gateway::sendToCurrentClient('raw ' . bin2hex($message));
        }
    }
    public static function onClose($client_id)
    {
        Gateway::sendToGroup($_SESSION['room'], "$_SESSION[name] left after " . ($_SESSION['count'] ?? 0));
    }
    public static function onWorkerStop($worker)
    {
        file_put_contents(__DIR__ . "/stopped$worker->id", Gateway::getAllClientCount());
    }
}
`

// startEvents runs a project of GatewayWorker as docs/from-gatewayworker.md says, in a folder.
func startEvents(t *testing.T, p push, folder, events string) *program {
	t.Helper()
	need(t, "php")
	class, err := filepath.Abs("../client/php")
	if err != nil {
		t.Fatal(err)
	}
	begin := strings.NewReplacer(
		"__DIR__ . '/lineman/", "'"+class+"/",
		"count = 4;", "count = 2;\nGatewayClient\\Gateway::$server = 'tcp://"+p.backends+"';",
	).Replace(blocks(t, "../docs/from-gatewayworker.md", "php")[0])
	write(t, folder+"/start.php", begin)
	write(t, folder+"/Events.php", events)
	return launch(t, exec.Command("php", folder+"/start.php"))
}

// TestGatewayEvents has a project of GatewayWorker behind Lineman, with one other line: its callbacks, sessions, uids
// and timers.
func TestGatewayEvents(t *testing.T) {
	folder := t.TempDir()
	settings := filepath.Join(folder, "lineman.yaml")
	write(t, settings, "dev: true\nevents: {messages: back end}\n")
	p := startLineman(t, "--config", settings)
	project := startEvents(t, p, folder, gatewayEvents)
	linemantest.Until(t, "no timer runs", func() bool {
		_, err := os.Stat(folder + "/timer")
		return err == nil
	})

	ann, bob := arrive(t, p.pages, "token=guest:1"), arrive(t, p.pages, "token=8")
	for _, page := range []net.Conn{ann, bob} {
		if got, err := wsutil.ReadServerText(page); err != nil || !strings.HasPrefix(string(got), "welcome c:") ||
			!strings.HasSuffix(string(got), " 127.0.0.1") {
			t.Fatalf("a page is welcomed by %q, %v", got, err)
		}
	}
	pageSays(t, ann, `{"type":"login","name":"Ann","room":"lobby","uid":7}`)
	gets(t, ann, "Ann came in")
	pageSays(t, bob, `{"type":"login","name":"Bob","room":"lobby","uid":8}`)
	gets(t, ann, "Bob came in")
	gets(t, bob, "Bob came in")

	const n = 200 // without waiting: events on their way have older sessions
	for range n {
		pageSays(t, ann, `{"type":"count"}`)
	}
	for i := range n {
		gets(t, ann, fmt.Sprint("count ", i+1))
	}
	pageSays(t, ann, `{"type":"to","uid":8,"text":"hello"}`)
	gets(t, bob, "Ann: hello")
	pageSays(t, bob, `{"type":"to","uid":7,"text":"hello, Ann"}`)
	gets(t, ann, "Bob: hello, Ann")
	pageSays(t, ann, `{"type":"who"}`)
	gets(t, ann, `["7",true,false,1,["8","7"],"Ann",["lobby"]]`)
	pageSays(t, bob, `{"type":"throw"}`)
	pageSays(t, bob, "\x00 no JSON")
	gets(t, bob, "raw 00206e6f204a534f4e")
	project.find("a mistake")
	ann.Close()
	gets(t, bob, "Ann left after 200")

	if code := project.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"/stopped0", "/stopped1"} {
		if got := read(t, folder+name); got != "1" {
			t.Errorf("at its end a worker counts %s", got)
		}
	}
}

// pageSays has a page say something.
func pageSays(t *testing.T, page net.Conn, text string) {
	t.Helper()
	if err := wsutil.WriteClientText(page, []byte(text)); err != nil {
		t.Fatal(err)
	}
}
