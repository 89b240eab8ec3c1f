module github.com/lineman-go/lineman/bench

go 1.23.0

require (
	github.com/lineman-go/lineman v0.0.0
	github.com/valyala/fasthttp v1.65.0
	golang.org/x/sys v0.35.0
)

require (
	github.com/MicahParks/jwkset v0.11.0 // indirect
	github.com/MicahParks/keyfunc/v3 v3.7.0 // indirect
	github.com/andybalholm/brotli v1.2.0 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/klauspost/compress v1.18.0 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	golang.org/x/time v0.12.0 // indirect
)

replace github.com/lineman-go/lineman => ..
