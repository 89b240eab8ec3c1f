module github.com/lineman-go/lineman/examples/sessions

go 1.24

require (
	github.com/alexedwards/scs/v2 v2.8.0
	github.com/go-chi/chi/v5 v5.2.1
	github.com/lineman-go/lineman v0.0.0
)

require (
	github.com/klauspost/compress v1.18.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.35.0 // indirect
)

replace github.com/lineman-go/lineman => ../..
