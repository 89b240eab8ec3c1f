<?php // The page of a user: it shows what is pushed to this user, in all tabs.
session_start();
$uid = $_SESSION['uid'] ??= 'guest-' . bin2hex(random_bytes(4)); // whom your login says

// A ticket for an hour: docs/tokens.md.
$claims = json_encode(['sub' => $uid, 'iat' => time(), 'exp' => time() + 3600]);
$body = 't1.' . rtrim(strtr(base64_encode($claims), '+/', '-_'), '=');
$secret = trim(file_get_contents(getenv('PUSH_SECRET_FILE')));
$ticket = $body . '.' . hash_hmac('sha256', "lineman:$body", $secret);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Orders of <?= $uid ?></title>
<h1>Orders of <?= $uid ?></h1>
<p>The line is <b id="line">not connected</b>. Open this page in a second tab, and order in one of them.</p>
<button>Order</button>
<ul id="orders"></ul>
<script src="/lineman.js"></script>
<script>
  const show = text => { document.getElementById('line').textContent = text }
  const line = Lineman.connect(`ws://${location.host}/live`, { token: <?= json_encode($ticket) ?> })
  line.on('open', () => show('connected'))
  line.on('wait', () => show('coming back'))
  line.on('close', () => show('over: load the page again'))
  line.on('msg', data => {
    const item = document.createElement('li')
    item.textContent = `order ${data.order} is ${data.state}`
    document.getElementById('orders').append(item)
  })
  document.querySelector('button').onclick = () => fetch('order.php', { method: 'POST' })
</script>
