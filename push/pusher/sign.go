package pusher

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Sign is the signature of a text: HMAC-SHA256, in hexadecimal.
func (a *App) Sign(text string) string {
	mac := hmac.New(sha256.New, []byte(a.Secret))
	mac.Write([]byte(text)) // it never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// verify reports whether a signature is that of a text. How long it takes tells nothing of the right one.
func (a *App) verify(text, signature string) bool {
	return hmac.Equal([]byte(a.Sign(text)), []byte(signature))
}

// AuthorizeChannel is what a back end answers a page which asks for a private or a presence channel: "KEY:SIGNATURE".
// data is the channel_data of a presence channel, which says who it is; empty if there is none.
func (a *App) AuthorizeChannel(socketID, channel, data string) string {
	return a.Key + ":" + a.Sign(channelText(socketID, channel, data))
}

// AuthenticateUser is likewise for a page that signs in. data is the user_data, which says who it is.
func (a *App) AuthenticateUser(socketID, data string) string {
	return a.Key + ":" + a.Sign(userText(socketID, data))
}

// channelText is what is signed of a subscription. No channel has a colon, so it can be read in one way only, and is
// never that of a user.
func channelText(socketID, channel, data string) string {
	if data == "" {
		return socketID + ":" + channel
	}
	return socketID + ":" + channel + ":" + data
}

// userText is what is signed of a user.
func userText(socketID, data string) string { return socketID + "::user::" + data }

// authorizes reports whether what a page shows, "KEY:SIGNATURE", is of the App and a text.
func (a *App) authorizes(auth, text string) bool {
	key, signature, _ := strings.Cut(auth, ":")
	return key == a.Key && a.verify(text, signature)
}
