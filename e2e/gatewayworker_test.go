package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"
)

// gatewayCalls is a project that has pasted the class of docs/from-gatewayworker.md.
const gatewayCalls = `<?php
require __DIR__ . '/Gateway.php';
use GatewayClient\Gateway;
Gateway::$server = 'tcp://' . $argv[1];
function show($name, $value) { echo $name, ' ', json_encode($value), "\n"; }
[$id] = Gateway::getClientIdByUid('uid1');
show('uid', Gateway::getUidByClientId($id));
Gateway::joinGroup($id, 'room');
show('online', [Gateway::isUidOnline('uid1'), Gateway::isUidOnline(7), Gateway::isOnline($id)]);
show('counts', [Gateway::getAllClientIdCount(), Gateway::getClientIdCountByGroup('room'), Gateway::getClientIdCountByGroup('hall')]);
show('lists', [Gateway::getUidListByGroup('room'), Gateway::getAllUidList()]);
show('session', Gateway::getSession($id));
Gateway::setSession($id, ['cart' => 3]);
show('session', Gateway::getSession($id));
show('sent', [Gateway::sendToUid('uid1', 'to uid1'), Gateway::sendToGroup('room', 'to room'), Gateway::sendToGroup('room', 'not you', [$id]),
    Gateway::sendToAll('to all'), Gateway::sendToAll('to one', [$id]), Gateway::sendToClient($id, '日本'), Gateway::sendToUid(['x', 7], '')]);
Gateway::leaveGroup($id, 'room');
show('counts', Gateway::getClientIdCountByGroup('room'));
try { Gateway::sendToUid('', 'x'); } catch (RuntimeException $e) { show('wrong', $e->getMessage()); }
try { Gateway::sendToAll('x', null, [$id, $id]); } catch (InvalidArgumentException $e) { show('wrong', $e->getMessage()); }
Gateway::closeClient($id, 'goodbye');
show('online', Gateway::isOnline($id));
`

// TestFromGatewayWorker runs the class of docs/from-gatewayworker.md against the server.
func TestFromGatewayWorker(t *testing.T) {
	class := block(t, "../docs/from-gatewayworker.md", "php")
	if n := strings.Count(class, "\n"); n > 60 {
		t.Errorf("the class has %d lines", n)
	}
	p := startLineman(t)
	page := visit(t, p.pages)
	if err := wsutil.WriteClientText(page, []byte("uid1")); err != nil {
		t.Fatal(err)
	}
	p.known("uid1")
	folder := t.TempDir()
	write(t, folder+"/Gateway.php", class)
	write(t, folder+"/calls.php", gatewayCalls)
	want := `uid "uid1"
online [true,false,true]
counts [1,1,0]
lists [["uid1"],["uid1"]]
session null
session {"cart":3}
sent [1,1,0,1,1,1,0]
counts 0
wrong "a uid has no name"
wrong "only one connection can be excepted"
online false
`
	if got := output(t, "", "php", folder+"/calls.php", p.backends); got != want {
		t.Errorf("PHP says\n%s", got)
	}
	for _, want := range []string{"to uid1", "to room", "to all", "to one", "日本", "goodbye"} {
		got, err := wsutil.ReadServerText(page)
		for err == nil && strings.HasPrefix(string(got), "{") { // what made it known
			got, err = wsutil.ReadServerText(page)
		}
		if err != nil || string(got) != want {
			t.Errorf("the page got %q, %v, want %q", got, err, want)
		}
	}
	if _, err := wsutil.ReadServerText(page); err == nil || err.(wsutil.ClosedError).Code != 4010 {
		t.Errorf("at its end: %v", err)
	}
}

// block is the first block of code in a document that is of a language.
func block(t *testing.T, file, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindStringSubmatch(read(t, file))
	if found == nil {
		t.Fatalf("%s has no block of %s", file, language)
	}
	return found[1]
}
