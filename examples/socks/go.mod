module github.com/lineman-go/lineman/examples/socks

go 1.26.0

toolchain go1.26.9

require github.com/lineman-go/lineman v0.0.0

require (
	github.com/klauspost/compress v1.20.4 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.50.0 // indirect
)

replace github.com/lineman-go/lineman => ../..
