<?php

use App\OrderShipped;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\Route;

Route::get('/', fn () => response()->file(base_path('resources/page.html')));

Broadcast::routes(['middleware' => ['auth']]); // /broadcasting/auth

Route::post('/ship/{order}', function (Request $request, int $order) {
    broadcast(new OrderShipped($order, $request->user()->id))->toOthers();
})->middleware('auth');
