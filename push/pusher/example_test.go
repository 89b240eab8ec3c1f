package pusher_test

import (
	"fmt"

	"github.com/lineman-go/lineman/push/pusher"
)

// A back end in Go answers the page that asks for a private channel.
func ExampleApp_AuthorizeChannel() {
	app := &pusher.App{ID: "3", Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8"}
	fmt.Printf("{\"auth\":%q}\n", app.AuthorizeChannel("1234.1234", "private-foobar", ""))
	// Output:
	// {"auth":"278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"}
}
