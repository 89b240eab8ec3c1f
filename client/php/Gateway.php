<?php

namespace GatewayClient;

/** The calls of GatewayWorker and GatewayClient, as commands of Lineman: docs/from-gatewayworker.md. */
class Gateway
{
    public static string $server = 'tcp://127.0.0.1:5678';
    public static string $key = '';
    public static int $connectTimeout = 5;
    public static $registerAddress, $secretKey, $persistentConnection, $addressesCacheDisable; // nobody looks at these
    private const READS = ['online', 'count', 'list', 'sessions', 'groups', 'channels', 'nodes', 'history'];
    private static $socket = null;
    public static ?\Listener $listener = null; // in a worker commands go over its connection

    /** Does a command, once, though the connection may have been lost before its answer. */
    public static function ask(array $request): array
    {
        if (self::$listener) return self::$listener->ask($request['cmd'], $request);
        if (!in_array($request['cmd'], self::READS, true)) $request['id'] = bin2hex(random_bytes(8));
        $line = json_encode($request, JSON_THROW_ON_ERROR) . "\n";
        $answer = self::exchange($line);
        if ($answer === false) $answer = self::exchange($line);
        if ($answer === false) throw new \RuntimeException('no answer from ' . self::$server);
        return self::check($answer);
    }
    private static function connect()
    {
        self::$socket = @stream_socket_client(self::$server, $code, $error, self::$connectTimeout);
        if (!self::$socket) throw new \RuntimeException(self::$server . ": $error");
        stream_set_timeout(self::$socket, 5);
        if (self::$key === '') return;
        $answer = (string) self::exchange(json_encode(['cmd' => 'auth', 'key' => self::$key]) . "\n");
        if (empty(json_decode($answer, true)['ok'])) self::$socket = null;
        self::check($answer);
    }
    private static function exchange(string $line)
    {
        if (!self::$socket) self::connect();
        $answer = @fwrite(self::$socket, $line) === strlen($line) ? fgets(self::$socket) : false;
        if ($answer === false) self::$socket = null;
        return $answer;
    }
    private static function check(string $answer): array
    {
        $said = json_decode($answer, true);
        if (!empty($said['ok'])) return $said;
        throw new \RuntimeException($said['error']['text'] ?? (trim($answer) ?: 'no answer from ' . self::$server));
    }

    // A client id is the name of a connection. What else could stand in its place, such as *, would mean more of them.
    private static function with(string $kind, $names): array
    {
        return array_map(fn ($name) => $kind . $name, array_values((array) $names));
    }
    private static function isConn($id): bool { return is_string($id) && strncmp($id, 'c:', 2) === 0; }
    private static function conn($id): string
    {
        if (self::isConn($id)) return $id;
        throw new \InvalidArgumentException(json_encode($id) . ' is no client id, as names of connections are: c:…');
    }

    private static function pub($to, string $text, $except = null, $raw = false): int
    {
        if ($raw) throw new \InvalidArgumentException('raw: there is one protocol, WebSocket: leave it out');
        $except = array_values((array) $except);
        if (count($except) > 1) throw new \InvalidArgumentException('only one connection can be excepted');
        if ($to === []) return 0; // nobody is meant
        $request = ['cmd' => 'pub', 'to' => $to, 'text' => $text];
        if (!empty($except[0])) $request['except'] = $except[0];
        return self::ask($request)['n'];
    }
    private static function pubEach(array $to, string $text, $raw): int
    {
        return array_sum(array_map(fn ($some) => self::pub($some, $text, null, $raw), array_chunk($to, 500)));
    }
    public static function sendToAll($m, $ids = null, $except = null, $raw = false)
    {
        if ($ids === null) return self::pub('*', $m, $except, $raw);
        if (!is_array($ids)) throw new \InvalidArgumentException('want null, for everybody, or a list of client ids');
        return self::pubEach(array_diff(array_filter($ids, [self::class, 'isConn']), (array) $except), $m, $raw);
    }
    public static function sendToClient($id, $m, $raw = false) { return self::sendToAll($m, [$id], null, $raw); }
    public static function sendToCurrentClient($m, $raw = false)
    {
        return self::sendToClient(self::current(), $m, $raw);
    }
    public static function sendToUid($uid, $m, $raw = false) { return self::pubEach(self::ofUids($uid), $m, $raw); }
    public static function sendToGroup($g, $m, $except = null, $raw = false)
    {
        return self::pub(self::with('g:', $g), $m, $except, $raw);
    }

    // A connection has the uid of its credential. One of a guest, whose uid begins with this, can be bound to another
    // one: it is put into the group uid:7, and its session has the uid, as "@uid". '' is for a site without guests.
    public static string $guest = 'guest:';
    private const BOUND = '@uid';
    private static function ofUids($uids): array
    {
        $bound = self::$guest === '' ? [] : self::with('g:uid:', $uids);
        return [...self::with('u:', $uids), ...$bound];
    }
    private static function isGuest(?string $uid): bool
    {
        return self::$guest !== '' && $uid !== null && strpos($uid, self::$guest) === 0;
    }
    private static function credentialUid($id): ?string { return self::listOf($id, 'uids')[0] ?? null; }
    public static function bindUid($id, $uid)
    {
        $has = self::credentialUid(self::conn($id));
        if ($has === "$uid") return; // by its credential
        $why = $has === null ? 'is not connected' : "is of uid $has until it ends: its page needs a token of $uid";
        if (!self::isGuest($has)) throw new \LogicException("bindUid: $id $why");
        $kept = self::kept($id);
        $before = $kept[self::BOUND] ?? "$uid";
        if ($before !== "$uid") self::move('leave', $id, "uid:$before");
        self::move('join', $id, "uid:$uid");
        self::keep($id, $kept, [self::BOUND => "$uid"] + $kept);
    }
    public static function unbindUid($id, $uid)
    {
        $has = self::credentialUid(self::conn($id));
        if ($has === null) return;
        $why = "unbindUid: $id has the uid of its credential until it ends: closeClient ends it";
        if (!self::isGuest($has)) throw new \LogicException($why);
        $kept = self::kept($id);
        if (($kept[self::BOUND] ?? null) !== "$uid") return;
        self::move('leave', $id, "uid:$uid");
        self::keep($id, $kept, array_diff_key($kept, [self::BOUND => '']));
    }
    private static function move($cmd, $to, $g) { self::ask(['cmd' => $cmd, 'to' => $to, 'group' => "$g"]); }
    public static function joinGroup($id, $g) { self::move('join', self::conn($id), $g); }
    public static function leaveGroup($id, $g) { self::move('leave', self::conn($id), $g); }
    public static function ungroup($g) { self::move('leave', "g:$g", $g); }

    private static function counts(array $to): array
    {
        return $to ? self::ask(['cmd' => 'count', 'to' => $to])['counts'] : [];
    }
    private static function listOf($to, string $what): array
    {
        return $to ? self::ask(['cmd' => 'list', 'to' => $to])[$what] ?? [] : [];
    }
    private static function each($names, string $ask): array
    {
        return $names ? array_combine($names, array_map([self::class, $ask], $names)) : [];
    }
    public static function isOnline($id) { return self::isConn($id) && self::counts([$id])[$id] > 0; }
    public static function isUidOnline($uid) { return current(self::isUidsOnline([$uid])); }
    public static function isUidsOnline($uids)
    {
        $online = $uids ? self::ask(['cmd' => 'online', 'uids' => self::with('', $uids)])['online'] : [];
        $bound = self::$guest === '' ? [] : self::counts(self::with('g:uid:', $uids));
        foreach ($bound as $group => $n) if ($n > 0) $online[substr($group, strlen('g:uid:'))] = true;
        return $online;
    }
    public static function getClientIdByUid($uid) { return self::listOf(self::ofUids($uid), 'conns'); }
    public static function batchGetClientIdByUid($uids) { return self::each($uids, 'getClientIdByUid'); }
    public static function getUidByClientId($id)
    {
        $uid = self::isConn($id) ? self::credentialUid($id) : null;
        return self::isGuest($uid) ? self::kept($id)[self::BOUND] ?? null : $uid;
    }
    private static function uidsOf($to): array
    {
        $all = self::listOf($to, 'uids');
        $own = array_values(array_filter($all, fn ($uid) => !self::isGuest($uid)));
        if (count($own) === count($all)) return $all;
        return array_values(array_unique([...$own, ...array_column(self::allKept($to), self::BOUND)]));
    }
    public static function getUidListByGroup($g) { return self::uidsOf(self::with('g:', $g)); }
    public static function getUidCountByGroup($g) { return count(self::getUidListByGroup($g)); }
    public static function getAllUidList() { return self::uidsOf('*'); }
    public static function getAllUidCount() { return count(self::getAllUidList()); }
    public static function getClientIdListByGroup($g) { return self::listOf(self::with('g:', $g), 'conns'); }
    private static function groupOr($g): string { return "$g" === '' ? '*' : "g:$g"; }
    public static function getClientIdCountByGroup($g = '') { return current(self::counts([self::groupOr($g)])); }
    public static function getClientCountByGroup($g = '') { return self::getClientIdCountByGroup($g); }
    public static function batchGetClientIdCountByGroup(array $groups): array
    {
        $counts = self::counts(self::with('g:', $groups));
        return $groups ? array_combine($groups, array_map(fn ($g) => $counts["g:$g"], $groups)) : [];
    }
    public static function getAllClientIdList() { return self::listOf('*', 'conns'); }
    public static function getAllClientIdCount() { return self::getClientIdCountByGroup(); }
    public static function getAllClientCount() { return self::getClientIdCountByGroup(); }
    public static function getAllGroupIdList()
    {
        $all = self::ask(['cmd' => 'groups'])['groups'] ?? [];
        $own = fn ($group) => self::$guest === '' || strpos($group, 'uid:') !== 0;
        return array_values(array_filter($all, $own));
    }
    public static function getAllGroupUidList() { return self::each(self::getAllGroupIdList(), 'getUidListByGroup'); }
    public static function getAllGroupUidCount() { return array_map('count', self::getAllGroupUidList()); }
    public static function getAllGroupClientIdList()
    {
        return self::each(self::getAllGroupIdList(), 'getClientIdListByGroup');
    }
    public static function getAllGroupClientIdCount()
    {
        return self::batchGetClientIdCountByGroup(self::getAllGroupIdList());
    }

    // What the server keeps with connections: the session, and the uid of a guest.
    private static function allKept($to): array
    {
        return self::ask(['cmd' => 'sessions', 'to' => $to])['sessions'] ?? [];
    }
    private static function kept(string $id): array
    {
        return $id === self::$current ? end(self::$states[$id]) : self::allKept($id)[$id] ?? [];
    }
    private static function keep(string $id, array $was, array $now): void
    {
        $now = json_decode(json_encode($now, JSON_THROW_ON_ERROR), true); // as it will be read
        if ($now === $was) return;
        self::ask(['cmd' => 'session', 'to' => $id, 'data' => $now ?: null]);
        if (!self::$listener) return;
        self::$states[$id] ??= [$was];
        self::$states[$id][] = $now;
    }
    private static function shown(array $kept): array { return array_diff_key($kept, [self::BOUND => '']); }
    public static function getAllClientSessions($g = '')
    {
        $to = self::groupOr($g);
        return array_map([self::class, 'shown'], self::allKept($to)) + array_fill_keys(self::listOf($to, 'conns'), []);
    }
    public static function getAllClientInfo($g = '') { return self::getAllClientSessions($g); }
    public static function getClientSessionsByGroup($g) { return "$g" === '' ? [] : self::getAllClientSessions($g); }
    public static function getClientInfoByGroup($g) { return self::getClientSessionsByGroup($g); }
    public static function setSession($id, array $s)
    {
        $was = self::kept(self::conn($id));
        self::keep($id, $was, array_intersect_key($was, [self::BOUND => '']) + $s);
        if ($id === self::$current) $_SESSION = $s;
    }
    public static function updateSession($id, array $s)
    {
        self::setSession($id, array_replace_recursive(self::getSession(self::conn($id)) ?? [], $s));
    }
    public static function getSession($id)
    {
        if ($id === self::$current) return $_SESSION;
        $kept = self::isConn($id) ? self::allKept($id)[$id] ?? null : null;
        return $kept === null ? null : self::shown($kept);
    }

    // While a callback runs for a client. The states of its session are those that this worker has written, for an
    // event on its way may still have an older one.
    private static ?string $current = null;
    private static array $states = [];
    private static function current(): string
    {
        if (self::$current !== null) return self::$current;
        throw new \LogicException('no client is being served here: name the connection');
    }
    public static function begin(string $id, array $session): void
    {
        $states = self::$states[$id] ?? [$session];
        $at = array_search($session, $states, true);
        self::$states[$id] = $at === false ? [$session] : array_slice($states, $at); // else somebody else has set it
        self::$current = $id;
        $_SESSION = self::shown(end(self::$states[$id]));
    }
    public static function end(bool $gone): void
    {
        [$id, self::$current] = [self::$current, null];
        $was = end(self::$states[$id]);
        $now = array_intersect_key($was, [self::BOUND => '']) + ($_SESSION ?? []);
        if (!$gone) self::keep($id, $was, $now);
        if ($gone || count(self::$states[$id]) === 1) unset(self::$states[$id]);
        $_SESSION = [];
    }

    public static function closeClient($id, $m = null)
    {
        if ($m !== null) self::pub(self::conn($id), $m);
        self::destoryClient($id);
    }
    public static function destoryClient($id) { self::ask(['cmd' => 'kick', 'to' => self::conn($id)]); }
    public static function closeCurrentClient($m = null) { self::closeClient(self::current(), $m); }
    public static function destoryCurrentClient() { self::destoryClient(self::current()); }

    public static function __callStatic(string $name, array $args)
    {
        $why = [
            'setSocketSession' => 'sessions are JSON, and not serialized by PHP: use setSession',
            'setBusinessWorker' => 'there is no BusinessWorker to be set: take this call out',
        ];
        throw new \BadMethodCallException("Gateway::$name: " . ($why[$name] ?? 'there is no such call in this class'));
    }
}

class_exists('GatewayWorker\Lib\Gateway', false) || class_alias(Gateway::class, 'GatewayWorker\Lib\Gateway');
