package command

import (
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

type none struct{}

func (none) ID() uint64 { return 0 }

// TestOpenAPI compares the description with the table: each command has its path, with the fields that it takes and
// needs and those of its answer, and every field is described.
func TestOpenAPI(t *testing.T) {
	hub, err := push.New(push.Options[none]{Fanout: func(iter.Seq[none], []byte, *push.Forms) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	table := New(hub, Options{
		Revoke:     func(string, time.Time, func(error)) {},
		Dispatcher: events.New(events.Options{}), Reply: func(string, CallAnswer, func(error)) {},
	})
	type object struct {
		Properties map[string]map[string]any
		Required   []string
	}
	type body struct {
		Content map[string]struct{ Schema object }
	}
	var api struct {
		Paths map[string]map[string]struct {
			OperationID string
			Tags        []string
			RequestBody body
			Responses   map[string]body
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(table.OpenAPI("v1"), &api); err != nil {
		t.Fatal(err)
	}
	lineOnly := 0
	for name, r := range table.rows {
		post, ok := api.Paths["/v1/"+name]["post"]
		if r.streams {
			lineOnly++
			continue
		}
		if !ok {
			t.Errorf("%s has no path", name)
			continue
		}
		request := post.RequestBody.Content["application/json"].Schema
		for field := range request.Properties {
			if !r.takes(field) {
				t.Errorf("%s does not take %s", name, field)
			}
		}
		for _, field := range append(r.fields, "id") {
			if request.Properties[field]["$ref"] != "#/components/schemas/"+field ||
				api.Components.Schemas[field] == nil {
				t.Errorf("%s: %s is not described", name, field)
			}
		}
		if !slices.Equal(request.Required, r.needs) || !slices.Equal(post.Tags, []string{string(r.scope)}) ||
			post.OperationID != name {
			t.Errorf("%s is described as %+v", name, post)
		}
		answer := post.Responses["200"].Content["application/json"].Schema
		if len(answer.Properties) != len(r.answers)+2 { // and ok, incomplete
			t.Errorf("%s answers %v", name, answer.Properties)
		}
		for _, field := range r.answers {
			if answer.Properties[field] == nil || api.Components.Schemas[field] == nil {
				t.Errorf("%s: the answer's %s is not described", name, field)
			}
		}
	}
	if len(api.Paths) != len(table.rows)-lineOnly+1 {
		t.Errorf("%d paths for %d commands, without %d for lines only, and batch",
			len(api.Paths), len(table.rows), lineOnly)
	}
	for _, of := range []reflect.Type{reflect.TypeFor[Request](), reflect.TypeFor[Reply]()} {
		for i := range of.NumField() {
			field, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if field != "" && field != "cmd" && field != "ok" && field != "error" &&
				api.Components.Schemas[field] == nil {
				t.Errorf("%s.%s is not described", of.Name(), field)
			}
		}
	}
}
