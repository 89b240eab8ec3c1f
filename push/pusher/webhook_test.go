package pusher_test

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/pusher"
)

// TestHooks has the examples of the documentation.
func TestHooks(t *testing.T) {
	at := time.UnixMilli(1327078148132)
	for _, one := range []struct {
		event pusher.HookEvent
		want  string
	}{
		{
			pusher.HookEvent{Name: pusher.ChannelOccupied, Channel: "test_channel"},
			`{"name":"channel_occupied","channel":"test_channel"}`,
		}, {
			pusher.HookEvent{Name: pusher.ChannelVacated, Channel: "test_channel"},
			`{"name":"channel_vacated","channel":"test_channel"}`,
		}, {
			pusher.HookEvent{Name: pusher.MemberAdded, Channel: "presence-x", UserID: "a_user_id"},
			`{"name":"member_added","channel":"presence-x","user_id":"a_user_id"}`,
		}, {
			pusher.HookEvent{Name: pusher.MemberRemoved, Channel: "presence-x", UserID: "a_user_id"},
			`{"name":"member_removed","channel":"presence-x","user_id":"a_user_id"}`,
		}, {
			pusher.HookEvent{
				Name: pusher.ClientEvent, Channel: "presence-x", Event: "client-e", Data: []byte(`"text \"1\""`),
				SocketID: "1.2", UserID: "ann",
			},
			`{"name":"client_event","channel":"presence-x","event":"client-e","data":"text \"1\"","socket_id":"1.2",` +
				`"user_id":"ann"}`,
		}, {
			pusher.HookEvent{Name: pusher.CacheMiss, Channel: "cache-x"},
			`{"name":"cache_miss","channel":"cache-x"}`,
		},
	} {
		got := string(pusher.AppendHooks(nil, at, one.event.Append(nil)))
		if want := `{"time_ms":1327078148132,"events":[` + one.want + `]}`; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	if got := string(pusher.AppendHooks(nil, at, []byte("{}"), []byte("{}"))); got !=
		`{"time_ms":1327078148132,"events":[{},{}]}` {
		t.Errorf("two are %s", got)
	}
}
