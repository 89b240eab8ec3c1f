package e2e

import (
	"encoding/json"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"
)

// gatewayClass is the class in place of GatewayWorker's.
const gatewayClass = "../client/php/Gateway.php"

// gatewayCalls is a project that has it.
const gatewayCalls = `<?php
require __DIR__ . '/Gateway.php';
use GatewayClient\Gateway;
Gateway::$server = 'tcp://' . $argv[1];
function show($name, $value) { echo $name, ' ', json_encode($value), "\n"; }
[$id] = Gateway::getClientIdByUid('uid1');
show('uid', Gateway::getUidByClientId($id));
Gateway::joinGroup($id, 'room');
show('online', [Gateway::isUidOnline('uid1'), Gateway::isUidOnline(7), Gateway::isOnline($id)]);
show('counts', [Gateway::getAllClientIdCount(), Gateway::getClientIdCountByGroup('room'),
    Gateway::getClientIdCountByGroup('hall')]);
show('lists', [Gateway::getUidListByGroup('room'), Gateway::getAllUidList()]);
show('session', Gateway::getSession($id));
Gateway::setSession($id, ['cart' => 3]);
show('session', Gateway::getSession($id));
show('sent', [Gateway::sendToUid('uid1', 'to uid1'), Gateway::sendToGroup('room', 'to room'),
    Gateway::sendToGroup('room', 'not you', [$id]), Gateway::sendToAll('to all'), Gateway::sendToAll('to one', [$id]),
    Gateway::sendToClient($id, '日本'), Gateway::sendToUid(['x', 7], '')]);
Gateway::leaveGroup($id, 'room');
show('counts', Gateway::getClientIdCountByGroup('room'));
try { Gateway::sendToUid('', 'x'); } catch (RuntimeException $e) { show('wrong', $e->getMessage()); }
try { Gateway::sendToAll('x', null, [$id, $id]); }
catch (InvalidArgumentException $e) { show('wrong', $e->getMessage()); }
Gateway::closeClient($id, 'goodbye');
show('online', Gateway::isOnline($id));
`

// TestFromGatewayWorker runs the class in place of GatewayWorker's against the server.
func TestFromGatewayWorker(t *testing.T) {
	class := read(t, gatewayClass)
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

// gatewayNobody are calls that mean nobody, or cannot be: each says so, and no page gets a thing.
const gatewayNobody = `<?php
require __DIR__ . '/Gateway.php';
use GatewayClient\Gateway;
Gateway::$registerAddress = '127.0.0.1:1236';
Gateway::$server = 'tcp://' . $argv[1];
[$id] = Gateway::getClientIdByUid('uid1');
$wrong = ['*', 'u:uid1', 'g:room', 'room', '', '7f00000108fc00000001'];
$nobody = [
    fn () => Gateway::sendToAll('x', []), fn () => Gateway::sendToAll('x', [], [$id]),
    fn () => Gateway::sendToAll('x', $wrong),
    fn () => Gateway::sendToAll('x', [$id], [$id, 'c:x']), fn () => Gateway::sendToUid([], 'x'),
    fn () => Gateway::sendToGroup([], 'x'), fn () => Gateway::sendToGroup('nobody', 'x', []),
    fn () => Gateway::sendToUid(['a', 7], 'x'),
    fn () => Gateway::batchGetClientIdByUid([]), fn () => Gateway::batchGetClientIdCountByGroup([]),
    fn () => Gateway::isUidsOnline([]), fn () => Gateway::getUidListByGroup([]),
    fn () => Gateway::getClientIdListByGroup([]),
    fn () => Gateway::getClientSessionsByGroup(''),
];
foreach ($wrong as $w) {
    array_push($nobody, fn () => Gateway::sendToClient($w, 'x'), fn () => Gateway::isOnline($w),
        fn () => Gateway::getUidByClientId($w), fn () => Gateway::getSession($w));
}
foreach ($nobody as $i => $call) if (!empty($call())) echo "call $i: ", json_encode($call()), "\n";
$throw = [
    fn () => Gateway::sendToAll('x', ''), fn () => Gateway::sendToAll('x', false),
    fn () => Gateway::sendToAll('x', '*'),
    fn () => Gateway::sendToAll('x', null, [$id, 'c:y']), fn () => Gateway::sendToAll('x', null, null, true),
    fn () => Gateway::sendToUid('uid1', 'x', true), fn () => Gateway::bindUid($id, 'uid2'),
    fn () => Gateway::bindUid('c:gone', 'uid1'),
];
foreach ($wrong as $w) {
    array_push($throw, fn () => Gateway::joinGroup($w, 'room'), fn () => Gateway::leaveGroup($w, 'room'),
        fn () => Gateway::setSession($w, []), fn () => Gateway::updateSession($w, []),
        fn () => Gateway::bindUid($w, 'uid1'),
        fn () => Gateway::closeClient($w), fn () => Gateway::closeClient($w, 'x'), fn () => Gateway::destoryClient($w));
}
foreach ($throw as $i => $call) {
    try { $call(); echo "call $i does not throw\n"; }
    catch (Exception $e) { if (strlen($e->getMessage()) < 10) echo "call $i: $e\n"; }
}
if (Gateway::getAllGroupIdList() || Gateway::getAllClientSessions() !== [$id => []]
    || Gateway::getUidListByGroup('x')) echo "there is nothing\n";
Gateway::bindUid($id, 'uid1');
Gateway::updateSession($id, ['a' => ['b' => 1]]);
Gateway::updateSession($id, ['a' => ['c' => 2]]);
Gateway::joinGroup($id, 'room');
echo json_encode([
    Gateway::getSession($id),
    Gateway::getAllClientSessions() === [$id => Gateway::getSession($id)],
    count(Gateway::getClientSessionsByGroup('room')),
    Gateway::isUidsOnline(['uid1', 7]), count(Gateway::batchGetClientIdByUid(['uid1', 7])['uid1']),
    Gateway::getUidCountByGroup('room'),
    Gateway::getClientIdListByGroup(['room', 'hall']) === [$id],
    Gateway::batchGetClientIdCountByGroup(['room', 'hall']),
    Gateway::getClientIdCountByGroup(), Gateway::getAllClientIdList() === [$id], Gateway::getAllUidCount(),
    Gateway::getAllGroupIdList(), Gateway::getAllGroupUidList(), Gateway::getAllGroupUidCount(),
    Gateway::getAllGroupClientIdCount(),
    Gateway::getAllGroupClientIdList() === ['room' => [$id]],
]), "\n";
Gateway::ungroup('room');
echo Gateway::sendToGroup('room', 'x'), Gateway::sendToAll('end', [$id, '*', 'c:y'], 'c:y'), "\n";
`

// gatewayMethods are the public static methods of GatewayWorker\Lib\Gateway and GatewayClient\Gateway.
const gatewayMethods = `
sendToAll sendToClient sendToCurrentClient sendToUid sendToGroup isUidOnline isUidsOnline isOnline
getAllClientInfo getAllClientSessions getClientInfoByGroup getClientSessionsByGroup getAllClientIdCount
getAllClientCount getClientIdCountByGroup getClientCountByGroup batchGetClientIdCountByGroup
getClientIdListByGroup getAllClientIdList getClientIdByUid batchGetClientIdByUid getUidListByGroup
getUidCountByGroup getAllUidList getAllUidCount getUidByClientId getAllGroupIdList getAllGroupUidCount
getAllGroupUidList getAllGroupClientIdList getAllGroupClientIdCount closeClient closeCurrentClient destoryClient
destoryCurrentClient bindUid unbindUid joinGroup leaveGroup ungroup setSocketSession setSession updateSession
getSession setBusinessWorker
`

// bindProgram is which program of docs/from-gatewayworker.md binds a connection.
const bindProgram = 3

// TestGatewayClass has every call of GatewayWorker do something, or say why not and what to do; what means nobody
// reaches nobody, and the binding of docs/from-gatewayworker.md works.
func TestGatewayClass(t *testing.T) {
	const document = "../docs/from-gatewayworker.md"
	bind := blocks(t, document, "php")[bindProgram]
	p, folder := startLineman(t), t.TempDir()
	write(t, folder+"/Gateway.php", strings.ReplaceAll(read(t, gatewayClass), "127.0.0.1:5678", p.backends))
	check := `<?php require __DIR__ . '/Gateway.php';
	foreach (preg_split('/\s+/', trim('` + gatewayMethods + `')) as $name) {
		if (method_exists('GatewayClient\Gateway', $name)) continue;
		try { GatewayClient\Gateway::$name(1, 2); echo "$name\n"; }
		catch (BadMethodCallException $e) {
			if (!preg_match("/^Gateway::$name: .*: /", $e->getMessage())) echo $e->getMessage(), "\n";
		}
	}`
	write(t, folder+"/check.php", check)
	if got := output(t, "", "php", folder+"/check.php"); got != "" {
		t.Errorf("of these methods there is nothing to tell:\n%s", got)
	}

	page := arrive(t, p.pages, "token=uid1&hello=1")
	hello, err := wsutil.ReadServerText(page)
	if err != nil {
		t.Fatal(err)
	}
	var named struct{ Conn string }
	if err := json.Unmarshal(hello, &named); err != nil || named.Conn == "" {
		t.Fatalf("the page is told %q, %v", hello, err)
	}
	write(t, folder+"/nobody.php", gatewayNobody)
	want := `[{"a":{"b":1,"c":2}},true,1,{"7":false,"uid1":true},1,1,true,{"room":1,"hall":0},1,true,1,` +
		`["room"],{"room":["uid1"]},{"room":1},{"room":1},true]` + "\n01\n"
	if got := output(t, "", "php", folder+"/nobody.php", p.backends); got != want {
		t.Errorf("PHP says\n%s", got)
	}
	other := arrive(t, p.pages, "token=uid2&hello=1")
	p.ask(`{"cmd":"join","to":"u:uid2","group":"room"}` + "\n")
	for uid, want := range map[string]string{"uid1": "", "uid2": "bindUid: " + named.Conn + " is of uid uid1"} {
		said := "$_POST = ['client_id' => '" + named.Conn + "'];" +
			" $_SESSION = ['uid' => '" + uid + "', 'room' => 'room'];"
		write(t, folder+"/bind.php", strings.Replace(bind, "session_start();", said, 1))
		if got, _ := try(t, "", "php", folder+"/bind.php"); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("bind.php of %s says %s", uid, got)
		}
	}
	p.ask(`{"cmd":"pub","to":"g:room","text":"all"}` + "\n")
	for c, want := range map[net.Conn][]string{page: {"end", "all"}, other: {"", "somebody has come", "all"}} {
		for _, w := range want {
			if got, err := wsutil.ReadServerText(c); err != nil || w != "" && string(got) != w {
				t.Errorf("a page got %q, %v, want %q", got, err, w)
			}
		}
	}
}

// TestGatewayClassReload has a program that keeps its connection go on, once the process at its other end was replaced.
func TestGatewayClassReload(t *testing.T) {
	p, folder := startLineman(t), t.TempDir()
	write(t, folder+"/Gateway.php", read(t, gatewayClass))
	write(t, folder+"/calls.php", `<?php
require __DIR__ . '/Gateway.php';
use GatewayClient\Gateway;
[, Gateway::$server, $folder, $command] = $argv;
chdir($folder);
for ($i = 0; $i < 3; $i++) {
    echo Gateway::getAllClientIdCount(), Gateway::sendToAll('x'), "\n";
    exec("$command reload --drain", $said, $code);
    if ($code !== 0) echo implode("\n", $said);
    $ends = [(new ReflectionProperty(Gateway::class, 'socket'))->getValue()];
    if (stream_select($ends, $none, $none, 20) !== 1) echo "its connection stays\n";
}
`)
	got := output(t, "", "php", folder+"/calls.php", "tcp://"+p.backends, p.cmd.Dir, filepath.Join(binaries, "lineman"))
	if got != "00\n00\n00\n" {
		t.Errorf("PHP says\n%s", got)
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
