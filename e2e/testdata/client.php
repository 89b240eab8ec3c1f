<?php
// A back end: php client.php host:port line
$line = $argv[2];
$server = stream_socket_client("tcp://$argv[1]", $code, $message, 5);
if ($server === false) {
    fwrite(STDERR, "$message\n");
    exit(1);
}
fwrite($server, "$line\n");
echo fgets($server);
