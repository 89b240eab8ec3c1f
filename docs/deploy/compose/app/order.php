<?php // Something happens that the user has to know: one line to any node.
session_start();
if ($_SERVER['REQUEST_METHOD'] !== 'POST' || !isset($_SESSION['uid'])) {
    http_response_code(400);
    exit("want a POST from the page\n");
}
$order = $_SESSION['orders'] = ($_SESSION['orders'] ?? 0) + 1;

$server = stream_socket_client('tcp://' . getenv('PUSH_SERVER'), timeout: 3);
$say = function (array $line) use ($server): string {
    fwrite($server, json_encode($line) . "\n");
    return trim(fgets($server));
};
$say(['cmd' => 'auth', 'key' => trim(file_get_contents(getenv('PUSH_KEY_FILE')))]);
echo $say(['uid' => $_SESSION['uid'], 'order' => $order, 'state' => 'paid']), "\n"; // ok: a page has got it
