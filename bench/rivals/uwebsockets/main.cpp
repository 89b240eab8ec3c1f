// uWebSockets, built from a folder with its sources.
//
//	uwebsockets PROTO PORT
//
// PROTO is http, ws, wsz or wsbc.
#include <App.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

struct Nothing {};

using Socket = uWS::WebSocket<false, true, Nothing>;

static uWS::App::WebSocketBehavior<Nothing> behavior(const std::string &proto, uWS::App *app) {
	uWS::App::WebSocketBehavior<Nothing> b;
	b.compression = proto == "wsz" ? uWS::SHARED_COMPRESSOR : uWS::DISABLED;
	b.maxPayloadLength = 16 << 20;
	b.maxBackpressure = 64 << 20;
	b.idleTimeout = 0;
	b.sendPingsAutomatically = false;
	if (proto == "wsbc") {
		b.open = [](Socket *socket) { socket->subscribe("all"); };
		b.message = [app](Socket *, std::string_view message, uWS::OpCode code) { app->publish("all", message, code); };
	} else {
		bool compress = proto == "wsz";
		b.message = [compress](Socket *socket, std::string_view message, uWS::OpCode code) {
			socket->send(message, code, compress);
		};
	}
	return b;
}

int main(int argc, char **argv) {
	if (argc != 3) {
		std::cerr << "usage: uwebsockets PROTO PORT\n";
		return 2;
	}
	std::string proto = argv[1];
	uWS::App app;
	if (proto == "http") {
		app.get("/*", [](auto *response, auto *) { response->end("Hello, World!"); });
	} else {
		app.ws<Nothing>("/*", behavior(proto, &app));
	}
	app.listen("127.0.0.1", std::atoi(argv[2]), [](auto *listening) {
		if (!listening) {
			std::cerr << "uwebsockets: cannot listen\n";
			std::exit(1);
		}
	});
	app.run();
}
