package server

import (
	"context"
	"errors"

	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/token"
)

// Codes that pages are closed with. Those of 40xx are final: nothing changes by coming again. Those of 41xx mean that
// the page may come again later, those of 42xx at once, with a new credential. docs/pages.md has them all.
const (
	codeUnauthorized websocket.Code = push.CodeUnauthorized
	codeForbidden    websocket.Code = 4003
	codeRestart      websocket.Code = 4101
	codeTooSlow      websocket.Code = 4102
	codeTooMany      websocket.Code = 4103
	codeLate         websocket.Code = 4104
	codeUnchecked    websocket.Code = 4105
	codeExpired      websocket.Code = 4200
	codeMissed       websocket.Code = 4201
)

// retryLater is the reason of codeTooMany.
const retryLater = `{"retry":5000}`

// refusal is what a page is told whose credential was not good. It is told that the credential is wrong only if another
// try would find the same.
func refusal(err error) (code websocket.Code, reason string) {
	switch {
	case errors.Is(err, token.ErrExpired):
		return codeExpired, "the credential has expired"
	case errors.Is(err, token.ErrUnavailable), errors.Is(err, token.ErrNotYet),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return codeUnchecked, "the credential could not be checked yet"
	}
	return codeUnauthorized, "the credential is not valid"
}

// placeRefusal is what a page is told that did not get its groups and channels. wanted is how many it asked for. It may
// come again if one of them was full.
func (s *Server) placeRefusal(err error, wanted int) (code websocket.Code, reason string) {
	if errors.Is(err, push.ErrLimit) && wanted <= s.config.Limits.Places {
		return codeTooMany, retryLater
	}
	return codeForbidden, "it cannot have its groups and channels"
}
