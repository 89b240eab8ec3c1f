<?php

namespace App;

use Illuminate\Broadcasting\Channel;
use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PresenceChannel;
use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;

// OrderShipped is told to all who look at the shop, to the customer, and to who is in the warehouse.
class OrderShipped implements ShouldBroadcastNow
{
    use InteractsWithSockets; // toOthers: not to the page that has asked for it

    public function __construct(public int $order, public string $customer)
    {
    }

    public function broadcastOn()
    {
        return [
            new Channel('shop'), new PrivateChannel("customer.{$this->customer}"), new PresenceChannel('warehouse'),
        ];
    }
}
