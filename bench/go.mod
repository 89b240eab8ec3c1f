module github.com/lineman-go/lineman/bench

go 1.23.0

require (
	github.com/lineman-go/lineman v0.0.0
	golang.org/x/sys v0.33.0
)

replace github.com/lineman-go/lineman => ..
