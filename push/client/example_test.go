package client_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

func Example() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "ws://127.0.0.1:1234/", client.Options{
		Token: func(context.Context) (string, error) { return os.Getenv("TOKEN"), nil },
		Down:  func(err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.Subscribe(ctx, "chat:42", push.Since{Last: 20}, client.Handler{
		Message: func(m level1.Message) { fmt.Printf("%s\n", m.Data) },
		Gap:     func(m level1.Missed) { fmt.Println("something was missed:", m.Gap) },
	})
	if err != nil {
		log.Fatal(err)
	}
	<-c.Done()
	log.Print(c.Err())
}
