module github.com/lineman-go/lineman

go 1.23.0

require (
	github.com/klauspost/compress v1.18.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.33.0
)
