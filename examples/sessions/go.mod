module github.com/lineman-go/lineman/examples/sessions

go 1.26.0

toolchain go1.26.9

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/go-chi/chi/v5 v5.5.0
	github.com/lineman-go/lineman v0.0.0
)

require (
	github.com/klauspost/compress v1.20.4 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace github.com/lineman-go/lineman => ../..
