<?php
// A back end that listens: it writes each event to a file, and says then that it has done it.
//   php listener.php 127.0.0.1:5678 GROUP FILE
[, $address, $group, $file] = $argv;

// Each line begins with the end of the one before it: so one that was cut off spoils no other.
function handle(string $line, $ledger): void
{
    fwrite($ledger, "\n" . getmypid() . ' ' . $line);
}

// listen asks a server for what pages say, again and again until it is there.
function listen(string $address, string $group)
{
    while (true) {
        $server = @stream_socket_client("tcp://$address", $code, $why, 5);
        if ($server) {
            $wanted = ['cmd' => 'listen', 'group' => $group, 'events' => ['message'], 'window' => 200];
            fwrite($server, json_encode($wanted) . "\n");
            $answer = json_decode((string) fgets($server));
            if ($answer->ok ?? false) {
                return $server;
            }
            fclose($server);
        }
        usleep(20_000);
    }
}

$ledger = fopen($file, 'a');
$servers = [listen($address, $group)];
while (true) {
    $ready = $servers;
    $none = null;
    stream_select($ready, $none, $none, null);
    foreach ($ready as $i => $server) {
        $line = fgets($server);
        if ($line === false) {
            unset($servers[$i]); // it has gone
            continue;
        }
        $event = json_decode($line);
        if ($event->type === 'message') {
            handle(rtrim($line), $ledger);
        } elseif ($event->type === 'leaving') {
            $servers[] = listen($address, $group); // there too
        }
        @fwrite($server, json_encode(['cmd' => 'ack', 'n' => $event->n]) . "\n");
    }
    $servers = $servers ?: [listen($address, $group)];
}
