<?php
// A chat with rooms and a list of who is online, behind Lineman. Start as many of these as you like.
//
//     go run ./cmd/lineman start --config examples/php-chat/lineman.yaml
//     php examples/php-chat/chat.php
//     php -S 127.0.0.1:8000 examples/php-chat/page.html

require __DIR__ . '/../../client/php/Listener.php';

const ROOMS = ['lobby', 'kitchen', 'garden'];

/** Publishes what a page says in a room. The id has an event that comes again publish nothing twice. */
function say(array $event, Listener $lineman): void
{
    ['room' => $room, 'text' => $text] = (array) ($event['data'] ?? []) + ['room' => '', 'text' => ''];
    $text = is_string($text) ? trim($text) : '';
    if (!in_array($room, ROOMS, true) || $text === '' || strlen($text) > 1000) return; // this page is not ours
    $lineman->ask('pub', [
        'to' => "room:$room", 'data' => ['from' => $event['uid'], 'text' => $text, 'at' => $event['time']],
        'id' => "$event[conn] $event[seq]",
    ]);
}

/** Tells all pages who is online. The server knows it, for all listeners. */
function online(array $event, Listener $lineman): void
{
    $uids = $lineman->ask('list', ['to' => '*'])['uids'] ?? [];
    $lineman->ask('pub', ['to' => 'online', 'data' => $uids]);
}

/** Answers a page that asks which rooms there are, and how many pages are in each. */
function rooms(array $event, Listener $lineman): void
{
    $counts = $lineman->ask('count', ['to' => array_map(fn ($room) => "room:$room", ROOMS)])['counts'];
    $rooms = array_map(fn ($room) => ['name' => $room, 'pages' => $counts["room:$room"]], ROOMS);
    $answer = $event['method'] === 'rooms' ? ['data' => $rooms] : ['error' => 'there is no such method', 'code' => 404];
    try {
        $lineman->ask('reply', ['call' => $event['call']] + $answer);
    } catch (RuntimeException) {
        // The page has gone, or has its answer already: then nobody waits.
    }
}

$lineman = new Listener(getenv('LINEMAN_SERVER') ?: '127.0.0.1:5678', getenv('LINEMAN_KEY') ?: '', [
    'group' => 'chat', 'events' => ['message', 'join', 'leave', 'rpc'],
], ['message' => 'say', 'join' => 'online', 'leave' => 'online', 'sync' => 'online', 'rpc' => 'rooms']);
$lineman->run();
