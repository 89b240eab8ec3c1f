<?php

use Illuminate\Support\Facades\Broadcast;

// Who may have a channel. What is known of a member of a presence channel is what the function returns.

Broadcast::channel('customer.{name}', fn ($user, $name) => $user->id === $name);

Broadcast::channel('warehouse', fn ($user) => ['name' => ucfirst($user->id)]);
