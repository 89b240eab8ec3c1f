<?php
// Workerman, from a folder with its sources.
//
//	php server.php start PROTO PORT FOLDER STATE [CERT KEY]
//
// PROTO is tcp, text, http, https, ws, wss or wsbc. STATE is a folder for what it writes.

use Workerman\Connection\TcpConnection;
use Workerman\Worker;

[, , $proto, $port, $folder, $state, $cert, $key] = $argv + array_fill(0, 8, '');
if (is_file("$folder/vendor/autoload.php")) {
    require "$folder/vendor/autoload.php";
} else {
    spl_autoload_register(function (string $class) use ($folder) {
        foreach (["$folder/src", $folder] as $root) {
            $file = $root . '/' . str_replace('\\', '/', substr($class, strlen('Workerman\\'))) . '.php';
            if (str_starts_with($class, 'Workerman\\') && is_file($file)) {
                require $file;
                return;
            }
        }
    });
}

$schemes = ['https' => 'http', 'ws' => 'websocket', 'wss' => 'websocket', 'wsbc' => 'websocket'];
$secure = $proto === 'https' || $proto === 'wss';
$context = $secure ? ['ssl' => ['local_cert' => $cert, 'local_pk' => $key, 'verify_peer' => false]] : [];
$worker = new Worker(($schemes[$proto] ?? $proto) . "://127.0.0.1:$port", $context);
if ($secure) {
    $worker->transport = 'ssl';
}
$worker->count = 1;
TcpConnection::$defaultMaxPackageSize = 16 << 20;
TcpConnection::$defaultMaxSendBufferSize = 16 << 20;
Worker::$pidFile = "$state/workerman.pid";
Worker::$logFile = "$state/workerman.log";
Worker::$stdoutFile = '/dev/null';

// A WebSocket answers with text frames, unless it is told to answer as it is asked.
$worker->onMessage = match ($proto) {
    'http', 'https' => fn ($connection) => $connection->send('Hello, World!'),
    'wsbc' => function ($connection, $data) use ($worker) {
        foreach ($worker->connections as $to) {
            $to->send($data);
        }
    },
    default => fn ($connection, $data) => $connection->send($data),
};
Worker::runAll();
