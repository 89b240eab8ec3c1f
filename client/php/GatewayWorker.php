<?php
// Runs the Events.php of a GatewayWorker project behind Lineman: docs/from-gatewayworker.md.

namespace {
    require_once __DIR__ . '/Listener.php';
    require_once __DIR__ . '/Gateway.php';
}

namespace GatewayWorker {

    use GatewayWorker\Lib\Gateway;
    use Workerman\Timer;

    /** Processes that hear events of pages, and call the methods of a class. */
    #[\AllowDynamicProperties] // of other settings, such as registerAddress: nobody looks at these
    class BusinessWorker
    {
        public string $name = 'BusinessWorker'; // the group of listeners
        public int $count = 1; // processes
        public int $id = 0; // of this process, from 0
        public string $eventHandler = 'Events'; // the class
        public $onWorkerStart, $onWorkerStop;
        public static array $all = [];
        private array $remotes = []; // where connections come from, as far as this process has seen them come

        public function __construct()
        {
            self::$all[] = $this;
        }

        public function run(): void
        {
            $events = ['close']; // then what is known of a connection is forgotten
            if ($this->has('onConnect') || $this->has('onWebSocketConnect')) $events[] = 'connect';
            if ($this->has('onMessage')) $events[] = 'message';
            if ($this->has('onRpc')) $events[] = 'rpc';
            $listener = new \Listener(
                preg_replace('|^tcp://|', '', Gateway::$server), Gateway::$key,
                ['group' => $this->name, 'events' => $events],
                array_map(fn ($on) => [$this, $on], [
                    'connect' => 'connected', 'message' => 'said', 'close' => 'closed', 'rpc' => 'asked',
                    'dropped' => 'dropped',
                ]),
            );
            $parent = posix_getppid();
            $listener->tick = function () use ($parent) {
                if (posix_getppid() !== $parent) posix_kill(getmypid(), SIGTERM); // nobody would end this process
                return Timer::tick();
            };
            Gateway::$listener = $listener;
            $this->guard($this->onWorkerStart, $this);
            $this->guard($this->has('onWorkerStart'), $this);
            $listener->run();
            Gateway::$listener = null; // what is still to be said goes over a connection of its own
            $this->guard($this->has('onWorkerStop'), $this);
            $this->guard($this->onWorkerStop, $this);
        }

        public function connected(array $event): void
        {
            preg_match('/^\[?(.*?)\]?:(\d+)$/', $event['remote'] ?? '', $m);
            $server = ['REMOTE_ADDR' => $m[1] ?? '', 'REMOTE_PORT' => $m[2] ?? ''];
            $this->remotes[$event['conn']] = $server;
            $this->serve($event, function (string $client) use ($server) {
                $this->guard($this->has('onConnect'), $client);
                $handshake = ['get' => [], 'server' => $server, 'cookie' => []];
                $this->guard($this->has('onWebSocketConnect'), $client, $handshake);
            });
        }

        public function said(array $event): void
        {
            $this->serve($event, fn ($client) => $this->guard($this->has('onMessage'), $client, self::text($event)));
        }

        public function closed(array $event): void
        {
            $this->serve($event, fn ($client) => $this->guard($this->has('onClose'), $client), true);
            unset($this->remotes[$event['conn']]);
        }

        public function asked(array $event): void
        {
            $answer = ['error' => 'the back end has failed', 'code' => 500];
            $this->serve($event, function (string $client) use ($event, &$answer) {
                $this->guard(function () use ($client, $event, &$answer) {
                    $answer = ['data' => $this->has('onRpc')($client, $event['method'], $event['data'] ?? null)];
                });
            });
            Gateway::ask(['cmd' => 'reply', 'call' => $event['call']] + $answer);
        }

        public function dropped(array $event): void
        {
            error_log("$this->name: $event[events] events were dropped");
        }

        /** The message as onMessage is to have it: what the page has sent, or its JSON. */
        private static function text(array $event): string
        {
            if (isset($event['text'])) return $event['text'];
            if (isset($event['b64'])) return base64_decode($event['b64']);
            if (is_string($event['data'])) return $event['data'];
            $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION;
            return json_encode($event['data'], $flags);
        }

        /** Calls a function for a connection, with its $_SESSION and $_SERVER. */
        private function serve(array $event, callable $f, bool $gone = false): void
        {
            $server = $_SERVER;
            $_SERVER = ['GATEWAY_CLIENT_ID' => $event['conn']] + ($this->remotes[$event['conn']] ?? []) + $server;
            Gateway::begin($event['conn'], $event['session'] ?? []);
            $f($event['conn']);
            $this->guard(fn () => Gateway::end($gone));
            $_SERVER = $server;
        }

        /** The method of the handler, if it has one. */
        private function has(string $method): ?callable
        {
            return method_exists($this->eventHandler, $method) ? [$this->eventHandler, $method] : null;
        }

        /** What a callback throws is logged: what it was about is not handled again, as with GatewayWorker. */
        private function guard(?callable $f, ...$args): void
        {
            try {
                $f && $f(...$args);
            } catch (\Throwable $e) {
                error_log("$this->name: $e");
            }
        }
    }
}

namespace Workerman {

    use GatewayWorker\BusinessWorker;

    class Worker
    {
        /** Starts the processes of all workers, again if one dies, and ends with them by SIGTERM or SIGINT. */
        public static function runAll(): void
        {
            $places = [];
            foreach (BusinessWorker::$all as $worker) {
                for ($id = 0; $id < $worker->count; $id++) $places[] = [$worker, $id];
            }
            $running = [];
            $over = false;
            pcntl_async_signals(true);
            foreach ([SIGTERM, SIGINT] as $signal) {
                pcntl_signal($signal, function () use (&$running, &$over) {
                    $over = true;
                    foreach (array_keys($running) as $pid) posix_kill($pid, SIGTERM);
                }, false);
            }
            foreach ($places as $place) $running[self::fork(...$place)] = $place;
            while ($running) {
                $pid = pcntl_wait($status);
                if (!isset($running[$pid])) continue;
                [$place, $running] = [$running[$pid], array_diff_key($running, [$pid => 0])];
                if ($over) continue;
                fprintf(STDERR, "%s: process %d has ended, and is started again\n", $place[0]->name, $pid);
                sleep(1);
                if (!$over) $running[self::fork(...$place)] = $place;
            }
            exit(0);
        }

        private static function fork(BusinessWorker $worker, int $id): int
        {
            $pid = pcntl_fork();
            if ($pid !== 0) return $pid;
            $worker->id = $id;
            $worker->run();
            exit(0);
        }
    }

    /** Timers of a worker's process. They wait while a callback runs. */
    class Timer
    {
        private static array $timers = [];
        private static int $last = 0;

        public static function add(float $seconds, callable $f, array $args = [], bool $persistent = true): int
        {
            self::$timers[++self::$last] = [microtime(true) + $seconds, $seconds, $f, $args, $persistent];
            return self::$last;
        }
        public static function del(int $id): bool
        {
            $there = isset(self::$timers[$id]);
            unset(self::$timers[$id]);
            return $there;
        }
        public static function delAll(): void
        {
            self::$timers = [];
        }

        /** Runs what is due, and tells after how many seconds there is more, at most 1. */
        public static function tick(): float
        {
            foreach (self::$timers as $id => [$at, $seconds, $f, $args, $persistent]) {
                if ($at > microtime(true) || !isset(self::$timers[$id])) continue;
                if ($persistent) self::$timers[$id][0] = microtime(true) + $seconds;
                else unset(self::$timers[$id]);
                try {
                    $f(...$args);
                } catch (\Throwable $e) {
                    error_log("a timer: $e");
                }
            }
            $next = self::$timers ? min(array_column(self::$timers, 0)) : PHP_INT_MAX;
            return max(0.001, min(1, $next - microtime(true)));
        }
    }

    class_alias(Timer::class, 'Workerman\Lib\Timer');
}
