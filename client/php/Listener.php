<?php
class Listener
{
    private array $links = []; // open connections; commands go by the newest, which is the last
    private bool $over = false;
    public ?Closure $tick = null; // is called in each round, and tells after how many seconds it wants to be again
    public function __construct(private string $server, private string $key, private array $listen, private array $on)
    {
        pcntl_async_signals(true);
        foreach ([SIGTERM, SIGINT] as $signal) pcntl_signal($signal, fn () => $this->over = true);
    }
    public function run(): void
    {
        while (!$this->over) {
            if (!$this->links) $this->connect();
            $wait = $this->tick ? ($this->tick)() : 1;
            foreach ($this->ready(0) ?: $this->ready($wait) as $link) $this->read($link);
            foreach ($this->links as $link) while ($link->events && !$this->over) $this->handle($link);
        }
        foreach ($this->links as $link) {
            $this->acknowledge($link);
            stream_socket_shutdown($link->stream, STREAM_SHUT_WR); // what was written arrives, if what comes is read
            while (fgets($link->stream) !== false);
        }
    }
    public function ask(string $cmd, array $fields): array
    {
        $request = json_encode(['cmd' => $cmd] + $fields + ['id' => bin2hex(random_bytes(8))], JSON_THROW_ON_ERROR);
        while ($link = end($this->links) ?: $this->connect()) { // if it is lost, once more on a new one
            @fwrite($link->stream, "$request\n");
            while (!($answer = $this->read($link)) && in_array($link, $this->links, true));
            if ($answer) return $answer['ok'] ? $answer : throw new RuntimeException($answer['error']['text']);
        }
        throw new RuntimeException('no connection to Lineman');
    }
    private function connect()
    {
        for ($tries = 0; !$this->over; usleep(random_int(500, 1000) * min(30000, 100 * 2 ** min(20, $tries++)))) {
            if (!$stream = @stream_socket_client("tcp://$this->server", $code, $error, 3)) continue;
            stream_set_timeout($stream, 10);
            $key = $this->key === '' ? [] : [['cmd' => 'auth', 'key' => $this->key]];
            foreach ([...$key, ['cmd' => 'listen'] + $this->listen] as $request) {
                @fwrite($stream, json_encode($request) . "\n");
                $answer = json_decode((string) fgets($stream), true);
                if (empty($answer['ok'])) break;
            }
            $link = (object) ['stream' => $stream, 'events' => [], 'handled' => 0, 'told' => 0];
            if (!empty($answer['ok'])) return $this->links[] = $link;
            fprintf(STDERR, "Lineman: %s\n", $answer['error']['text'] ?? 'no answer');
        }
    }
    private function ready(float $seconds): array
    {
        if ($seconds > 0) array_map([$this, 'acknowledge'], $this->links);
        $all = array_map(fn ($link) => $link->stream, $this->links);
        if ($all && !@stream_select($all, $none, $no, (int) $seconds, (int) (fmod($seconds, 1) * 1e6))) return [];
        return array_intersect_key($this->links, $all);
    }
    private function read(object $link): ?array
    {
        $said = json_decode((string) fgets($link->stream), true);
        if (isset($said['type'])) $link->events[] = $said;
        if (!$said) unset($this->links[array_search($link, $this->links, true)]); // it was lost
        return isset($said['ok']) ? $said : null;
    }
    private function handle(object $link): void
    {
        $event = array_shift($link->events);
        if ($event['type'] === 'leaving') $this->connect();
        if ($on = $this->on[$event['type']] ?? null) $on($event, $this);
        $link->handled = $event['n'];
        if ($link->handled - $link->told >= 100) $this->acknowledge($link);
    }
    private function acknowledge(object $link): void
    {
        if ($link->handled > $link->told) @fwrite($link->stream, "{\"cmd\":\"ack\",\"n\":$link->handled}\n");
        $link->told = $link->handled;
    }
}
