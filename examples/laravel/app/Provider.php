<?php

namespace App;

use Illuminate\Auth\GenericUser;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\ServiceProvider;

// Provider tells who asks, and which routes and channels there are.
class Provider extends ServiceProvider
{
    public function boot()
    {
        // For this example everybody is who they say. Yours has a login.
        Auth::viaRequest('name', function (Request $request) {
            $name = $request->header('X-User');
            return $name ? new GenericUser(['id' => $name]) : null;
        });
        require base_path('routes/web.php');
        require base_path('routes/channels.php');
    }
}
