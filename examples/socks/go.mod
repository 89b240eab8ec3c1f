module github.com/lineman-go/lineman/examples/socks

go 1.23.0

require github.com/lineman-go/lineman v0.0.0

require (
	github.com/klauspost/compress v1.18.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/net v0.43.0
	golang.org/x/sys v0.35.0 // indirect
)

replace github.com/lineman-go/lineman => ../..
