package command

import (
	"encoding/json"
	"maps"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// OpenAPI describes the commands as an HTTP API, one path each, in OpenAPI 3.1. version is that of the program.
func (t *Table[C]) OpenAPI(version string) []byte {
	paths := map[string]any{}
	for _, r := range t.order {
		if r.streams {
			continue
		}
		paths["/v1/"+r.name] = map[string]any{"post": r.operation()}
	}
	paths["/v1/batch"] = map[string]any{"post": batchOperation()}
	text, err := json.MarshalIndent(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Lineman push", "version": version, "summary": "What back ends can ask of the push server",
		},
		"paths": paths,
		"components": map[string]any{
			"schemas":         schemas(),
			"securitySchemes": map[string]any{"key": map[string]any{"type": "http", "scheme": "bearer"}},
		},
		"security": []any{map[string]any{"key": []string{}}, map[string]any{}},
	}, "", "  ")
	if err != nil {
		return []byte("{}")
	}
	return text
}

// operation is the description of a command.
func (r *row[C]) operation() map[string]any {
	properties := map[string]any{"id": ref("id")}
	for _, f := range r.fields {
		properties[f] = ref(f)
	}
	request := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(r.needs) > 0 {
		request["required"] = r.needs
	}
	answer := map[string]any{"ok": map[string]any{"const": true}, "incomplete": ref("incomplete")}
	for _, f := range r.answers {
		answer[f] = ref(f)
	}
	return map[string]any{
		"operationId": r.name,
		"summary":     r.does,
		"tags":        []Scope{r.scope},
		"requestBody": map[string]any{"required": true, "content": map[string]any{
			"application/json": map[string]any{"schema": request},
			"application/x-ndjson": map[string]any{"schema": map[string]any{
				"type": "string",
				"description": "such objects, one a line, at most 10,000; the answers come one a line, in order. " +
					"Behind answers of 4 MiB no line is done: it is answered too_many",
			}},
		}},
		"responses": map[string]any{
			"200":     content("it was done", map[string]any{"type": "object", "properties": answer}),
			"default": content("it was not done", ref("failure")),
		},
	}
}

func batchOperation() map[string]any {
	return map[string]any{
		"operationId": "batch",
		"summary": "runs several commands, one a line, at most 10,000, each with cmd; the answers come one a " +
			"line, in order. Behind answers of 4 MiB no line is done: it is answered too_many",
		"requestBody": map[string]any{"required": true, "content": map[string]any{
			"application/x-ndjson": map[string]any{"schema": map[string]any{"type": "string"}},
		}},
		"responses": map[string]any{
			"200": map[string]any{
				"description": "each line has its answer",
				"content": map[string]any{
					"application/x-ndjson": map[string]any{"schema": map[string]any{"type": "string"}},
				},
			},
			"default": content("nothing was done", ref("failure")),
		},
	}
}

func content(description string, schema any) map[string]any {
	return map[string]any{
		"description": description, "content": map[string]any{"application/json": map[string]any{"schema": schema}},
	}
}

func ref(name string) map[string]any {
	return map[string]any{"$ref": "#/components/schemas/" + name}
}

// What follows makes schemas.

func textSchema(description string) map[string]any {
	return map[string]any{"type": "string", "description": description}
}

func listSchema(of any, description string) map[string]any {
	return map[string]any{"type": "array", "items": of, "description": description}
}

func mapSchema(of any, description string) map[string]any {
	return map[string]any{"type": "object", "additionalProperties": of, "description": description}
}

// schemas describes the fields of Request and Reply.
func schemas() map[string]any {
	all := historySchemas()
	maps.Copy(all, fieldSchemas())
	maps.Copy(all, hearingSchemas())
	return all
}

// hearingSchemas are those of the fields about events.
func hearingSchemas() map[string]any {
	return map[string]any{
		"events": listSchema(map[string]any{"enum": events.Kinds()}, "what a listener is told of"),
		"of":     listSchema(textSchema(""), "patterns of targets that events are about; missing: all"),
		"window": map[string]any{"type": "integer", "minimum": 1, "maximum": events.MaxWindow},
		"observe": map[string]any{
			"type": "boolean", "description": "nothing depends on the listener, which has a group of its own",
		},
		"call":  textSchema("what the event rpc has named it"),
		"error": textSchema("what the page is told, in place of data"),
	}
}

// fieldSchemas are those of the other fields.
func fieldSchemas() map[string]any {
	number := map[string]any{"type": "integer"}
	uid := map[string]any{"type": []string{"string", "integer"}, "description": "7 and \"7\" are the same"}
	target := textSchema("u:NAME is a uid, g:NAME a group, c:NAME a connection, * everyone, any other name a channel")
	return map[string]any{
		"id": textSchema("a request that comes again with the same id within five minutes is answered as the first " +
			"was, and not done again; that of another request is an error. Commands that only tell need none"),
		"to":      map[string]any{"oneOf": []any{target, listSchema(target, "at most 10,000")}},
		"data":    map[string]any{"description": "any JSON"},
		"text":    textSchema("sent as it is, in place of data"),
		"except":  textSchema("a connection, c:NAME, that gets nothing"),
		"uid":     uid,
		"uids":    listSchema(uid, ""),
		"group":   textSchema("the name of a group, without g:"),
		"channel": textSchema("the name of a channel"),
		"code": map[string]any{
			"type": "integer", "description": "of kick 4000 to 4999; of reply 1 to 999, as the page is told it",
		},
		"reason": textSchema("at most 123 bytes"),
		"wait": map[string]any{
			"type": "integer", "minimum": 0, "maximum": maxWait,
			"description": "milliseconds to wait for other nodes, if they cannot be reached, or for pages that come " +
				"back to a server that is alone",
		},
		"n":        map[string]any{"type": "integer", "description": "connections; of presence, uids"},
		"counts":   mapSchema(number, "by target: connections, or the uids that are present"),
		"online":   mapSchema(map[string]any{"type": "boolean"}, "by uid"),
		"conns":    listSchema(target, ""),
		"sessions": mapSchema(map[string]any{}, "by connection"),
		"groups":   listSchema(textSchema(""), ""),
		"channels": listSchema(textSchema(""), ""),
		"users":    mapSchema(map[string]any{}, "by uid: what its token or its session says of it as info, or null"),
		"more":     map[string]any{"const": true, "description": "there are too many to tell who they are"},
		"stats": map[string]any{"type": "object", "properties": map[string]any{
			"channels": number, "users": number, "connections": number,
		}},
		"nodes": mapSchema(number,
			"connections, by names that nodes give themselves when they start: the same as in those of their "+
				"connections"),
		"incomplete": map[string]any{
			"const": true, "description": "some nodes have not answered in time: there may be more",
		},
		"failure": map[string]any{"type": "object", "properties": map[string]any{
			"ok": map[string]any{"const": false},
			"error": map[string]any{"type": "object", "properties": map[string]any{
				"code": map[string]any{"enum": []Code{
					Invalid, UnknownCommand, Unauthorized, Denied, TooMany, Unavailable, NotKept,
				}},
				"text": textSchema("for people"),
			}},
		}},
	}
}

// historySchemas are those of the fields about history.
func historySchemas() map[string]any {
	return map[string]any{
		"since": textSchema("a position, as pub and history have told it"),
		"limit": map[string]any{
			"type": "integer", "minimum": 0, "maximum": maxLimit, "default": defaultLimit,
			"description": "messages, at most; fewer come if they have more than a MiB. 0: only top, and gap",
		},
		"pos": mapSchema(textSchema(""), "the position that it has in the history of each target that keeps one"),
		"messages": listSchema(map[string]any{"type": "object", "properties": map[string]any{
			"pos": textSchema("its position"), "at": map[string]any{"type": "string", "format": "date-time"},
			"data": map[string]any{"description": "what was published, if it is JSON"},
			"text": textSchema("else this is it"),
		}}, "in the order of their positions, without a hole"),
		"top": textSchema("the position of the newest publication for the target"),
		"gap": map[string]any{
			"enum": []push.Gap{push.GapEpoch, push.GapExpired, push.GapAhead},
			"description": "why not all that came after since can be told; then there are no messages. epoch: the " +
				"server was started anew. expired: some is no longer kept. ahead: there is no such position yet",
		},
	}
}
